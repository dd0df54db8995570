// Picture distances against their definitions, written out naively.
#include "quantize/picture_metrics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace octet {
namespace {

Picture random_picture(int width, int height, unsigned seed) {
  std::mt19937 random(seed);
  Picture p{.width = width, .height = height};
  p.rgb.resize(static_cast<std::size_t>(width * height * 3));
  for (std::uint8_t& v : p.rgb) v = static_cast<std::uint8_t>(random());
  return p;
}

Picture noisy(Picture p, int strength, unsigned seed) {
  std::mt19937 random(seed);
  for (std::uint8_t& v : p.rgb) {
    const int n = static_cast<int>(random() % static_cast<unsigned>(2 * strength + 1)) - strength;
    v = static_cast<std::uint8_t>(std::clamp(int{v} + n, 0, 255));
  }
  return p;
}

double luma(const Picture& p, int x, int y) {
  const std::uint8_t* v = p.rgb.data() + 3 * (y * p.width + x);
  return 0.299 * v[0] + 0.587 * v[1] + 0.114 * v[2];
}

// One window of 121 weights at a time, moments about the mean.
double naive_ssim(const Picture& a, const Picture& b) {
  double sum = 0;
  int windows = 0;
  for (int y = 0; y + 11 <= a.height; ++y) {
    for (int x = 0; x + 11 <= a.width; ++x) {
      double norm = 0, ma = 0, mb = 0, va = 0, vb = 0, cov = 0;
      const auto each = [&](auto&& use) {
        for (int j = 0; j < 11; ++j) {
          for (int i = 0; i < 11; ++i) {
            const double d = (i - 5) * (i - 5) + (j - 5) * (j - 5);
            use(std::exp(-d / 4.5), luma(a, x + i, y + j), luma(b, x + i, y + j));
          }
        }
      };
      each([&](double w, double p, double q) { norm += w, ma += w * p, mb += w * q; });
      ma /= norm, mb /= norm;
      each([&](double w, double p, double q) {
        va += w / norm * (p - ma) * (p - ma);
        vb += w / norm * (q - mb) * (q - mb);
        cov += w / norm * (p - ma) * (q - mb);
      });
      sum += (2 * ma * mb + 6.5025) * (2 * cov + 58.5225) /
             ((ma * ma + mb * mb + 6.5025) * (va + vb + 58.5225));
      ++windows;
    }
  }
  return sum / windows;
}

TEST(PictureMetrics, EqualPictures) {
  const Picture p = random_picture(32, 16, 1);
  EXPECT_EQ(psnr(p, p), 100);
  EXPECT_NEAR(ssim(p, p), 1, 1e-12);
  EXPECT_EQ(gmsd(p, p), 0);
}

TEST(PictureMetrics, PsnrOfAKnownDifference) {
  Picture a{.width = 2, .height = 1, .rgb = {0, 10, 20, 30, 40, 50}};
  Picture b{.width = 2, .height = 1, .rgb = {3, 7, 23, 27, 43, 47}};  // 3 everywhere
  EXPECT_NEAR(psnr(a, b), 20 * std::log10(255.0 / 3), 1e-9);
  b.rgb = {0, 10, 20, 30, 40, 51};
  EXPECT_NEAR(psnr(a, b), 10 * std::log10(255.0 * 255.0 * 6), 1e-9);
}

TEST(PictureMetrics, SsimEqualsItsDefinition) {
  const Picture a = random_picture(19, 14, 2);
  for (const int strength : {2, 40, 200}) {
    const Picture b = noisy(a, strength, 3);
    EXPECT_NEAR(ssim(a, b), naive_ssim(a, b), 1e-9);
  }
  EXPECT_LT(ssim(a, random_picture(19, 14, 4)), 0.3);
}

TEST(PictureMetrics, GmsdByHand) {
  // After means of 2x2: a ramp of 10 per pixel across, in `b` a ramp of 20 in the lower half.
  const auto ramp = [](int lower) {
    Picture p{.width = 12, .height = 12, .rgb = {}};
    for (int y = 0; y < 12; ++y) {
      for (int x = 0; x < 12; ++x) {
        const auto v = static_cast<std::uint8_t>((y < 6 ? 10 : lower) * (x / 2));
        p.rgb.insert(p.rgb.end(), {v, v, v});
      }
    }
    return p;
  };
  const Picture a = ramp(10);
  const Picture b = ramp(20);
  // Gradients are 20 across (twice 10) in `a`; in `b` by Prewitt's mean of three rows, and down
  // where the two ramps meet.
  double sum = 0, squares = 0;
  int count = 0;
  for (int y = 1; y < 5; ++y) {
    for (int x = 1; x < 5; ++x) {
      double across = 0, down = 0;
      for (int i = -1; i <= 1; ++i) {
        const auto value = [](int column, int row) { return (row < 3 ? 10.0 : 20.0) * column; };
        across += value(x + 1, y + i) - value(x - 1, y + i);
        down += value(x + i, y + 1) - value(x + i, y - 1);
      }
      const double g = 20, h = std::hypot(across / 3, down / 3);
      const double s = (2 * g * h + 170) / (g * g + h * h + 170);
      sum += s, squares += s * s, ++count;
    }
  }
  const double mean = sum / count;
  EXPECT_NEAR(gmsd(a, b), std::sqrt(squares / count - mean * mean), 1e-9);
}

TEST(PictureMetrics, MoreDamageIsFurtherAway) {
  const Picture a = random_picture(48, 32, 5);
  const Picture little = noisy(a, 5, 6);
  const Picture much = noisy(a, 90, 6);
  EXPECT_GT(psnr(a, little), psnr(a, much));
  EXPECT_GT(ssim(a, little), ssim(a, much));
  EXPECT_LT(gmsd(a, little), gmsd(a, much));
  EXPECT_EQ(gmsd(a, much), gmsd(much, a));
}

}  // namespace
}  // namespace octet
