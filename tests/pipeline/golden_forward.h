// One forward of a golden model's denoiser on the golden inputs.
#pragma once

#include "backend/ops_checked.h"
#include "pipeline/golden_model.h"

namespace octet::test {

// Uploads a golden tensor into the arena.
inline Tensor put(Ctx ctx, const FloatArray& a) {
  Dims dims{};
  std::copy(a.dims.begin(), a.dims.end(), dims.begin());
  const Tensor t = ctx.arena.tensor(DType::kF32, static_cast<int>(a.dims.size()), dims);
  ctx.backend.upload(t, std::as_bytes(std::span(a.values)));
  return t;
}

inline std::vector<float> get(Ctx ctx, const Tensor& t) {
  std::vector<float> values(static_cast<std::size_t>(t.numel()));
  ctx.backend.download(std::as_writable_bytes(std::span(values)), t);
  return values;
}

// One forward of a denoiser on the inputs "<prefix>latents" etc. of `tensors`.
inline std::vector<float> forward(Backend& backend, const Mmdit& mmdit,
                                  const GoldenTensors& tensors, const std::string& prefix,
                                  std::span<const int> skip_layers) {
  Arena arena(backend.allocate(std::size_t{64} << 20));
  const Ctx ctx{backend, arena};
  const Tensor latents = put(ctx, tensors.get(prefix + "latents"));
  const Tensor text = put(ctx, tensors.get(prefix + "prompt_embeds"));
  const Tensor pooled = put(ctx, tensors.get(prefix + "pooled_prompt_embeds"));
  const Tensor timestep = put(ctx, tensors.get(prefix + "timestep"));
  const Tensor modulation = arena.tensor(DType::kF32, {latents.dim(0), mmdit.modulation_width()});
  mmdit.modulation(ctx, modulation, timestep, pooled);
  const Tensor out = arena.tensor(DType::kF32, latents.rank, latents.dims);
  mmdit.forward(
      ctx, out,
      {.latents = latents, .text = text, .modulation = modulation, .skip_layers = skip_layers});
  return get(ctx, out);
}

inline std::vector<float> forward(const GoldenModel& model, const Mmdit& mmdit,
                                  std::span<const int> skip_layers) {
  return forward(*model.backend, mmdit, model.tensors, "mmdit.in.", skip_layers);
}

inline std::vector<float> forward(const GoldenModel& model, std::span<const int> skip_layers) {
  return forward(model, model.loaded.models.mmdit, skip_layers);
}

}  // namespace octet::test
