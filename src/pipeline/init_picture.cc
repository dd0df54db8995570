#include "pipeline/init_picture.h"

#include <algorithm>
#include <cmath>

#include "backend/ops_checked.h"
#include "base/format.h"
#include "image/resample.h"
#include "pipeline/finite_check.h"

namespace octet {

EncodedPicture::EncodedPicture(Ctx ctx, const Vae& vae, const InitPicture& picture, int width,
                               int height)
    : options_(vae.options()), channels_(static_cast<std::size_t>(vae.latent_channels())) {
  const Arena::Scope scope(ctx.arena);
  const std::vector<std::uint8_t> bytes = resize_lanczos(
      picture.rgb, 3, {picture.width, picture.height}, {.width = width, .height = height});
  std::vector<float> pixels(bytes.size());
  std::transform(bytes.begin(), bytes.end(), pixels.begin(), [](std::uint8_t byte) {
    return 2.0f * (static_cast<float>(byte) / 255.0f) - 1.0f;
  });
  const Tensor image = ctx.arena.tensor(DType::kF32, {1, height, width, 3});
  ctx.backend.upload(image, std::as_bytes(std::span(pixels)));
  const std::int64_t factor = vae.spatial_factor();
  const Tensor moments = ctx.arena.tensor(
      DType::kF32, {1, height / factor, width / factor, 2 * vae.latent_channels()});
  const auto run = [&](Ctx c) { vae.encode(c, moments, image); };
  run(ctx);
  require_finite(ctx, {moments}, "picture encoding", run);
  moments_.resize(static_cast<std::size_t>(moments.numel()));
  ctx.backend.download(std::as_writable_bytes(std::span(moments_)), moments);
}

void EncodedPicture::sample(std::span<const float> e, std::span<float> z) const {
  const std::size_t places = moments_.size() / (2 * channels_);
  for (std::size_t c = 0; c < channels_; ++c) {
    for (std::size_t i = 0; i < places; ++i) {
      const float* at = moments_.data() + i * 2 * channels_ + c;
      const float log_variance = std::clamp(at[channels_], -30.0f, 20.0f);
      const float value = at[0] + std::exp(0.5f * log_variance) * e[c * places + i];
      z[c * places + i] = (value - options_.shift_factor) * options_.scaling_factor;
    }
  }
}

std::vector<std::string> init_remarks(const GenerateRequest& request, const UsedSettings& s) {
  std::vector<std::string> remarks;
  const auto look = [&](const char* what, int width, int height) {
    if (width == s.width && height == s.height) return;
    remarks.push_back(
        format("%s: resized from %dx%d to %dx%d", what, width, height, s.width, s.height));
  };
  if (request.init) look("init", request.init->width, request.init->height);
  if (request.mask) look("mask", request.mask->width, request.mask->height);
  return remarks;
}

std::vector<float> latent_mask(const InitMask& mask, int width, int height, int spatial_factor) {
  const std::vector<std::uint8_t> pixels =
      resize_lanczos(mask.values, 1, {mask.width, mask.height}, {.width = width, .height = height});
  std::vector<float> drawn;
  for (int y = 0; y < height; y += spatial_factor) {
    for (int x = 0; x < width; x += spatial_factor) {
      const std::size_t at = static_cast<std::size_t>(y) * static_cast<std::size_t>(width) +
                             static_cast<std::size_t>(x);
      drawn.push_back(pixels[at] >= 128 ? 1.0f : 0.0f);
    }
  }
  return drawn;
}

void add_noise(Ctx ctx, const Tensor& dst, const KnownLatents& known, float sigma) {
  const float rest = 1.0f - sigma;
  const auto one = [](const float& value) { return std::span<const float>(&value, 1); };
  ops::linear_combination(
      ctx,
      {.dst = dst, .terms = {LinearTerm{known.noise, one(sigma)}, LinearTerm{known.z, one(rest)}}});
}

// Adding gated branches to a residual stream is the product with a mask that this needs: the gates
// are the two halves of the mask, the stream begins at zero. Exact, as they are 0 and 1.
void restore_kept(Ctx ctx, const Tensor& latents, const KnownLatents& known, float sigma) {
  const Arena::Scope scope(ctx.arena);
  const auto planes = [](const Tensor& t) {
    return reshape(t, {t.dim(0), t.dim(1), t.dim(2) * t.dim(3)});
  };
  const Tensor kept = ctx.arena.tensor(DType::kF32, latents.rank, latents.dims);
  add_noise(ctx, kept, known, sigma);
  const Tensor sum = ctx.arena.tensor(DType::kF32, latents.rank, latents.dims);
  ops::fill(ctx, {.dst = sum});
  ops::layer_norm_modulate(ctx, {.dst = {},
                                 .x = planes(sum),
                                 .branches = {GatedBranch{planes(kept), known.kept},
                                              GatedBranch{planes(latents), known.drawn}}});
  ops::copy(ctx, {.dst = latents, .src = sum});
}

}  // namespace octet
