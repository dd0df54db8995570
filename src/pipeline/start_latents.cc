#include "pipeline/start_latents.h"

#include <iterator>

#include "diffusion/rng.h"
#include "pipeline/settings.h"

namespace octet {
namespace {

void upload(Ctx ctx, const Tensor& dst, const std::vector<float>& values) {
  ctx.backend.upload(dst, std::as_bytes(std::span(values)));
}

// One mask for all pictures.
void write_mask(Ctx ctx, const KnownLatents& known, const InitMask& mask, const UsedSettings& s,
                std::int64_t factor) {
  const std::vector<float> drawn = latent_mask(mask, s.width, s.height, static_cast<int>(factor));
  std::vector<float> kept;
  for (const float d : drawn) kept.push_back(1.0f - d);
  upload(ctx, known.drawn, drawn);
  upload(ctx, known.kept, kept);
}

}  // namespace

StartLatents make_start(Arena& arena, const Models& models, const GenerateRequest& request,
                        const UsedSettings& settings) {
  const std::int64_t factor = models.vae.spatial_factor();
  const std::int64_t height = settings.height / factor, width = settings.width / factor;
  const auto latents = [&] {
    return arena.tensor(DType::kF32,
                        {request.batch, models.mmdit.config().in_channels, height, width});
  };
  StartLatents start{.latents = latents(), .noise = {}, .z = {}, .known = {}};
  start.noise = start.latents;
  if (!request.init) return start;
  start.noise = latents();
  start.z = latents();
  KnownLatents one;
  if (request.mask) {
    one.drawn = arena.tensor(DType::kF32, {1, height * width});
    one.kept = arena.tensor(DType::kF32, {1, height * width});
  }
  for (std::int64_t b = 0; b < request.batch; ++b) {
    one.z = slice(start.z, 0, b, b + 1);
    one.noise = slice(start.noise, 0, b, b + 1);
    start.known.push_back(one);
  }
  return start;
}

void write_start(Ctx ctx, const StartLatents& start, const GenerateRequest& request,
                 const UsedSettings& settings, const EncodedPicture* encoded) {
  std::vector<float> noise(static_cast<std::size_t>(start.latents.numel()));
  std::vector<float> z(encoded != nullptr ? noise.size() : 0);
  const std::size_t each = noise.size() / static_cast<std::size_t>(request.batch);
  for (std::size_t i = 0; i < static_cast<std::size_t>(request.batch); ++i) {
    TorchGenerator generator(settings.seed + i);
    const std::span row = std::span(noise).subspan(i * each, each);
    if (encoded != nullptr) {
      generator.randn(row);
      encoded->sample(row, std::span(z).subspan(i * each, each));
    }
    generator.randn(row);
  }
  if (request.noise) noise = request.noise->values;
  upload(ctx, start.noise, noise);
  if (encoded == nullptr) return;
  upload(ctx, start.z, z);
  if (request.mask) {
    const std::int64_t factor = settings.width / start.latents.dim(3);
    write_mask(ctx, start.known.front(), *request.mask, settings, factor);
  }
  const float sigma = run_sigmas(settings, request.compat).front();
  for (std::int64_t b = 0; b < request.batch; ++b) {
    add_noise(ctx, slice(start.latents, 0, b, b + 1), start.known[static_cast<std::size_t>(b)],
              sigma);
  }
}

}  // namespace octet
