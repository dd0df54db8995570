// One step of denoising for all pictures in flight, whatever each of them asks for.
//
// A Track is one picture on its way: its position, its prompts, its latents. Tracks of one step
// share the picture's size and nothing else: their prompts, samplers, guidance and positions
// differ, so pictures of different requests share a batch and may come and go between steps. What
// a track becomes does not depend on the others wherever the backend's ops do not (ops.h).
//
// The network sees every prediction that some track needs as one row of a batch; only rows with
// texts of another length, or with skipped blocks, are batches of their own.
//
// Thread-safety: one thread. Ownership: a track's tensors belong to the caller.
#pragma once

#include <compare>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "backend/backend.h"
#include "diffusion/guidance.h"
#include "diffusion/sampler.h"
#include "model/mmdit.h"
#include "pipeline/conditioning.h"
#include "pipeline/init_picture.h"

namespace octet {

/// What the network is told of a prompt during a run.
struct Conditioning {
  Tensor text;        // FP32 [1, L, text_width]
  Tensor modulation;  // FP32 [steps, modulation_width]: one row per step of the run
};

/// Memory for a run of `steps` steps. The text is not copied.
[[nodiscard]] Conditioning make_conditioning(Arena& arena, const Mmdit& mmdit,
                                             const EncodedPrompt& prompt, std::size_t steps);
/// Computes the modulation vectors of all steps of a run, for each of its prompts.
void modulate(Ctx ctx, const Mmdit& mmdit, std::span<const Conditioning> conditioning,
              std::span<const EncodedPrompt> prompts, std::span<const float> timesteps);

/// What the network is given at each step of a row that has not begun.
[[nodiscard]] std::vector<float> timesteps_of(Row row);

/// One picture on its way.
struct Track {
  Row row;
  const Guidance* guidance = nullptr;
  const Conditioning* cond = nullptr;
  const Conditioning* uncond = nullptr;  // null without guidance
  Tensor latents;                        // FP32 [1, C, H, W]
  Tensor x0, x0_previous;                // like latents where the sampler keeps its history
  Tensor estimate;     // like latents: gets x0 as the step predicts it; empty: nobody asks
  KnownLatents known;  // what a mask keeps; empty for text to picture
};

/// A track before its first step, with memory for what its sampler remembers.
[[nodiscard]] Track make_track(Ctx ctx, Track track);

class Denoiser {
 public:
  explicit Denoiser(const Mmdit& mmdit) : mmdit_(mmdit) {}

  /// The coming step of every track, none of which is done. Scratch comes from ctx.arena.
  void step(Ctx ctx, std::span<Track* const> tracks);

 private:
  struct NetworkRow;
  /// Where a call of the network finds and leaves everything: calls in one place may repeat one
  /// recording.
  struct Place {
    const void* dst;
    const void* modulation;  // the last of the inputs
    Dims latents;
    std::int64_t text_length;
    std::vector<int> skip_layers;
    auto operator<=>(const Place&) const = default;  // NOLINT(modernize-use-nullptr): misread
  };

  void predict(Ctx ctx, std::span<NetworkRow> rows);
  void run(Ctx ctx, const Tensor& dst, const MmditInput& in);

  const Mmdit& mmdit_;
  std::map<Place, std::unique_ptr<Recording>> recordings_;
};

}  // namespace octet
