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
  const std::vector<ModulationRows> rows{{.dst = modulation, .pooled = pooled}};
  mmdit.modulation(ctx, rows, timestep);
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

// Moments [1, 2C, h, w] that the VAE's encoder gives for the golden picture.
inline std::vector<float> encode(const GoldenModel& model) {
  const Vae& vae = model.loaded.models.vae;
  const FloatArray picture = model.tensors.get("vae.encode.in");  // [1, 3, H, W] in 0..1
  const std::vector<std::int64_t> moments = model.tensors.get("vae.encode.moments").dims;
  Arena arena(model.backend->allocate(std::size_t{64} << 20));
  const Ctx ctx{*model.backend, arena};
  const Tensor planar = put(ctx, picture);
  const Tensor nhwc =
      arena.tensor(DType::kF32, {1, picture.dims[2], picture.dims[3], picture.dims[1]});
  ops::copy(ctx, {.dst = nhwc, .src = permute(planar, {0, 2, 3, 1})});
  ops::scale_shift(ctx, {.dst = nhwc, .x = nhwc, .scale = 2.0f, .shift = -1.0f});
  const Tensor out = arena.tensor(DType::kF32, {1, moments[2], moments[3], moments[1]});
  vae.encode(ctx, out, nhwc);
  const Tensor result = arena.tensor(DType::kF32, {1, moments[1], moments[2], moments[3]});
  ops::copy(ctx, {.dst = result, .src = permute(out, {0, 3, 1, 2})});
  return get(ctx, result);
}

}  // namespace octet::test
