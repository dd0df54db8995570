// Cutting and filling against what every pixel must be.
#include "image/reshape.h"

#include <gtest/gtest.h>

namespace octet {
namespace {

/// Pixel (x, y) is 10 y + x.
Pixels numbered(int width, int height) {
  Pixels p{.size = {width, height}, .channels = 1, .values = {}};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) p.values.push_back(static_cast<std::uint8_t>(10 * y + x));
  }
  return p;
}

TEST(Reshape, CutsTheMiddle) {
  const Pixels wide = cut_to_ratio(numbered(6, 2), {64, 64});
  EXPECT_EQ(wide.size, (PixelSize{2, 2}));
  EXPECT_EQ(wide.values, (std::vector<std::uint8_t>{2, 3, 12, 13}));
  const Pixels tall = cut_to_ratio(numbered(2, 5), {32, 16});
  EXPECT_EQ(tall.size, (PixelSize{2, 1}));
  EXPECT_EQ(tall.values, (std::vector<std::uint8_t>{20, 21}));
  EXPECT_EQ(cut_to_ratio(numbered(3, 2), {48, 32}).values, numbered(3, 2).values);
  EXPECT_EQ(cut_to_ratio(numbered(9, 1), {16, 4096}).size, (PixelSize{1, 1}));
}

TEST(Reshape, FillsWithTheEdges) {
  const Pixels filled = fit_and_fill(numbered(2, 2), {4, 2});
  EXPECT_EQ(filled.values, (std::vector<std::uint8_t>{0, 0, 1, 1, 10, 10, 11, 11}));
  const Pixels rgb{.size = {1, 1}, .channels = 3, .values = {1, 2, 3}};
  EXPECT_EQ(fit_and_fill(rgb, {1, 2}).values, (std::vector<std::uint8_t>{1, 2, 3, 1, 2, 3}));
  EXPECT_EQ(fit_and_fill(numbered(9, 1), {2, 64}).size, (PixelSize{2, 64}));
}

}  // namespace
}  // namespace octet
