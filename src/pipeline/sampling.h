// The denoising loop of one request: from noise, or a noised picture, to latents.
//
// Its pictures are the tracks of one batch (denoiser.h) and take their steps together. Modulation
// vectors of the whole run are computed before the loop.
#pragma once

#include <functional>
#include <vector>

#include "octet/request.h"
#include "pipeline/denoiser.h"

namespace octet {

struct SamplingArgs {
  const Mmdit& mmdit;
  Tensor latents;              // FP32 [B, C, H, W]: where the rows begin; result on exit
  EncodedPrompt cond, uncond;  // uncond is unused without guidance
  Guidance guidance;
  std::vector<Row> rows;            // one per latent, all with equal sigmas
  std::vector<KnownLatents> known;  // one per latent, or none without an init picture
  /// After the modulation of all steps, before the first.
  std::function<void()> on_modulation;
  /// After each step, with its number from 0; throws to stop. `latents` may by then be a step
  /// further, unless on_step_reads_latents.
  std::function<void(int step)> on_step;
  bool on_step_reads_latents = false;
};

/// The guidance that a request asks for, over its whole schedule.
[[nodiscard]] Guidance request_guidance(const GenerateRequest& request,
                                        const UsedSettings& settings, const Mmdit& mmdit);
/// Each of its pictures before the first step.
[[nodiscard]] Row request_row(const GenerateRequest& request, const UsedSettings& settings);

void sample(Ctx ctx, SamplingArgs& args);

}  // namespace octet
