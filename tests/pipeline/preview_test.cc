#include "pipeline/preview.h"

#include <gtest/gtest.h>

#include <random>

#include "backend/cpu/cpu_backend.h"
#include "backend/null/null_backend.h"
#include "support/errors.h"
#include "support/tiny_pipeline.h"

namespace octet {
namespace {

// b = a x for a known x, from more rows than unknowns.
TEST(Preview, LeastSquaresFindWhatWasThere) {
  std::mt19937 random(3);
  std::normal_distribution<double> normal;
  const std::size_t n = 17, columns = 3;
  std::vector<double> x(n * columns), ata(n * n), atb(n * columns);
  for (double& v : x) v = normal(random);
  for (int row = 0; row < 400; ++row) {
    std::vector<double> a(n);
    for (double& v : a) v = normal(random);
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j < n; ++j) ata[i * n + j] += a[i] * a[j];
      for (std::size_t c = 0; c < columns; ++c) {
        for (std::size_t k = 0; k < n; ++k)
          atb[i * columns + c] += a[i] * a[k] * x[k * columns + c];
      }
    }
  }
  const std::vector<double> found = internal::solve_normal_equations(ata, atb, n);
  ASSERT_EQ(found.size(), x.size());
  for (std::size_t i = 0; i < x.size(); ++i) EXPECT_NEAR(found[i], x[i], 1e-6) << i;
  // Nothing is known of what never occurs: zero, not infinity.
  for (const double v : internal::solve_normal_equations({0, 0, 0, 0}, {0, 0}, 2))
    EXPECT_EQ(v, 0.0);
}

TEST(Preview, OnePixelPerLatent) {
  const auto cpu = make_cpu_backend({.threads = 2});
  const auto null = make_null_backend({});
  const Models models = test::tiny_pipeline(*cpu, {});
  const PreviewProjection projection(*cpu, *null, models.vae);
  std::vector<float> latents(5 * 2 * 3);
  for (std::size_t i = 0; i < latents.size(); ++i) latents[i] = i % 6 == 4 ? 2.0f : 0.0f;
  const Picture picture = projection.apply(latents, 3, 2);
  EXPECT_EQ(picture.width, 3);
  EXPECT_EQ(picture.height, 2);
  ASSERT_EQ(picture.rgb.size(), 18u);
  for (std::size_t place = 0; place < 6; ++place) {
    const bool same = std::equal(picture.rgb.begin(), picture.rgb.begin() + 3,
                                 picture.rgb.begin() + 3 * static_cast<std::ptrdiff_t>(place));
    EXPECT_EQ(same, place != 4) << place;
  }
  EXPECT_EQ(projection.apply(latents, 3, 2).rgb,
            PreviewProjection(*cpu, *null, models.vae).apply(latents, 3, 2).rgb);
}

TEST(Preview, ABrokenDecoderIsNamed) {
  const auto cpu = make_cpu_backend({.threads = 2});
  const auto null = make_null_backend({});
  const Models models = test::tiny_pipeline(*cpu, {.infinite = "decoder.conv_out.bias"});
  test::expect_error(Code::kUnsupported, "picture decoding: expected finite",
                     [&] { const PreviewProjection projection(*cpu, *null, models.vae); });
}

}  // namespace
}  // namespace octet
