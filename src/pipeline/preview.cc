#include "pipeline/preview.h"

#include <algorithm>
#include <cmath>

#include "backend/null/null_backend.h"
#include "diffusion/rng.h"
#include "pipeline/finite_check.h"

namespace octet {
namespace {

constexpr std::int64_t kPictures = 6;
constexpr std::int64_t kSide = 16;  // latents
constexpr std::int64_t kBlock = 4;  // latents of equal values along a side

// Latents of one picture [C, kSide, kSide].
std::vector<float> random_latents(TorchGenerator& generator, std::int64_t channels) {
  constexpr std::int64_t kBlocks = kSide / kBlock;
  std::vector<float> blocks(static_cast<std::size_t>(channels * kBlocks * kBlocks));
  generator.randn(blocks);
  std::vector<float> latents;
  for (std::int64_t c = 0; c < channels; ++c) {
    for (std::int64_t y = 0; y < kSide; ++y) {
      for (std::int64_t x = 0; x < kSide; ++x) {
        const std::int64_t at = (c * kBlocks + y / kBlock) * kBlocks + x / kBlock;
        latents.push_back(blocks[static_cast<std::size_t>(at)]);
      }
    }
  }
  return latents;
}

// The picture [f kSide, f kSide, 3] that the VAE makes of them.
std::vector<float> decode(Ctx ctx, const Vae& vae, const std::vector<float>& values) {
  const Arena::Scope scope(ctx.arena);
  const std::int64_t side = kSide * vae.spatial_factor();
  const Tensor latents = ctx.arena.tensor(DType::kF32, {1, vae.latent_channels(), kSide, kSide});
  ctx.backend.upload(latents, std::as_bytes(std::span(values)));
  const Tensor image = ctx.arena.tensor(DType::kF32, {1, side, side, 3});
  const auto run = [&](Ctx c) { vae.decode(c, image, latents); };
  run(ctx);
  require_finite(ctx, {image}, "picture decoding", run);
  std::vector<float> picture(static_cast<std::size_t>(image.numel()));
  ctx.backend.download(std::as_writable_bytes(std::span(picture)), image);
  return picture;
}

// Sums over all latents: of the products of (latent, 1) with itself and with the mean colour of the
// pixels that it stands for.
struct Sums {
  explicit Sums(std::size_t count) : unknowns(count), ata(count * count), atb(count * 3) {}

  void add(const std::vector<double>& a, const std::array<double, 3>& b) {
    for (std::size_t i = 0; i < unknowns; ++i) {
      for (std::size_t j = 0; j < unknowns; ++j) ata[i * unknowns + j] += a[i] * a[j];
      for (std::size_t j = 0; j < 3; ++j) atb[i * 3 + j] += a[i] * b[j];
    }
  }

  std::size_t unknowns;
  std::vector<double> ata, atb;
};

std::array<double, 3> mean_colour(const std::vector<float>& picture, std::size_t x, std::size_t y,
                                  std::size_t factor) {
  std::array<double, 3> sum{};
  const std::size_t width = kSide * factor;
  for (std::size_t row = y * factor; row < (y + 1) * factor; ++row) {
    for (std::size_t column = x * factor; column < (x + 1) * factor; ++column) {
      for (std::size_t c = 0; c < 3; ++c) {
        const auto value = static_cast<double>(picture[(row * width + column) * 3 + c]);
        sum[c] += std::clamp(value, -1.0, 1.0);
      }
    }
  }
  for (double& s : sum) s /= static_cast<double>(factor * factor);
  return sum;
}

void add_picture(Sums& sums, const std::vector<float>& latents, const std::vector<float>& picture,
                 std::size_t factor) {
  constexpr std::size_t kPlaces = kSide * kSide;
  std::vector<double> a(sums.unknowns, 1.0);
  for (std::size_t place = 0; place < kPlaces; ++place) {
    for (std::size_t c = 0; c + 1 < sums.unknowns; ++c) {
      a[c] = static_cast<double>(latents[c * kPlaces + place]);
    }
    sums.add(a, mean_colour(picture, place % kSide, place / kSide, factor));
  }
}

}  // namespace

namespace internal {

// Cholesky: a^T a + 1e-6 is symmetric and positive.
std::vector<double> solve_normal_equations(std::vector<double> ata, std::vector<double> atb,
                                           std::size_t unknowns) {
  const std::size_t n = unknowns, columns = atb.size() / n;
  const auto a = [&](std::size_t i, std::size_t j) -> double& { return ata[i * n + j]; };
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      double sum = a(i, j) + (i == j ? 1e-6 : 0.0);
      for (std::size_t k = 0; k < j; ++k) sum -= a(i, k) * a(j, k);
      a(i, j) = i == j ? std::sqrt(sum) : sum / a(j, j);
    }
  }
  for (std::size_t c = 0; c < columns; ++c) {
    const auto x = [&](std::size_t i) -> double& { return atb[i * columns + c]; };
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t k = 0; k < i; ++k) x(i) -= a(i, k) * x(k);
      x(i) /= a(i, i);
    }
    for (std::size_t i = n; i-- > 0;) {
      for (std::size_t k = i + 1; k < n; ++k) x(i) -= a(k, i) * x(k);
      x(i) /= a(i, i);
    }
  }
  return atb;
}

}  // namespace internal

PreviewProjection::PreviewProjection(Backend& backend, Backend& null, const Vae& vae)
    : channels_(static_cast<std::size_t>(vae.latent_channels())) {
  TorchGenerator generator(0);
  Arena planned(null.allocate(kNullArenaBytes));
  (void)decode({null, planned}, vae, random_latents(generator, vae.latent_channels()));
  Arena arena(backend.allocate(planned.peak()));
  Sums sums(channels_ + 1);
  for (std::int64_t i = 0; i < kPictures; ++i) {
    const std::vector<float> latents = random_latents(generator, vae.latent_channels());
    const std::vector<float> picture = decode({backend, arena}, vae, latents);
    add_picture(sums, latents, picture, static_cast<std::size_t>(vae.spatial_factor()));
  }
  weights_ =
      internal::solve_normal_equations(std::move(sums.ata), std::move(sums.atb), channels_ + 1);
}

Picture PreviewProjection::apply(std::span<const float> latents, int width, int height) const {
  Picture picture{.width = width, .height = height, .rgb = {}, .seed = 0};
  const std::size_t places = latents.size() / channels_;
  for (std::size_t place = 0; place < places; ++place) {
    for (std::size_t colour = 0; colour < 3; ++colour) {
      double value = weights_[channels_ * 3 + colour];
      for (std::size_t c = 0; c < channels_; ++c) {
        value += weights_[c * 3 + colour] * static_cast<double>(latents[c * places + place]);
      }
      const double byte = std::clamp((value + 1.0) / 2.0, 0.0, 1.0) * 255.0;
      picture.rgb.push_back(static_cast<std::uint8_t>(std::lround(byte)));
    }
  }
  return picture;
}

}  // namespace octet
