// The denoising loop: from noise to latents.
//
// Every row of the batch has its own position in its own schedule (diffusion/sampler.h); the
// network sees all rows at once, conditional and unconditional together when their texts have
// equal length. Modulation vectors of the whole run are computed before the loop.
#pragma once

#include <functional>
#include <vector>

#include "backend/backend.h"
#include "diffusion/guidance.h"
#include "diffusion/sampler.h"
#include "model/mmdit.h"

namespace octet {

/// One prompt, encoded: text FP32 [1, L, text_width], pooled FP32 [1, pooled_width].
struct EncodedPrompt {
  Tensor text, pooled;
};

struct SamplingArgs {
  const Mmdit& mmdit;
  Tensor latents;              // FP32 [B, C, H, W]: noise on entry, result on exit
  EncodedPrompt cond, uncond;  // uncond is unused without guidance
  Guidance guidance;
  std::vector<Row> rows;  // one per latent, all with equal sigmas
  /// After the modulation of all steps, before the first.
  std::function<void()> on_modulation;
  /// After each step, with its number from 0; throws to stop. `latents` may by then be a step
  /// further, unless on_step_reads_latents.
  std::function<void(int step)> on_step;
  bool on_step_reads_latents = false;
};

void sample(Ctx ctx, SamplingArgs& args);

}  // namespace octet
