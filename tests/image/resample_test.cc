// Resizing against Pillow 13: digests of init_cases.picture(w, h).resize(size, LANCZOS).tobytes(),
// and of mask(), tests/golden/init_cases.py.
#include "image/resample.h"

#include <gtest/gtest.h>

#include "base/sha256.h"
#include "golden/init_cases.h"
#include "octet/error.h"

namespace octet {
namespace {

struct Case {
  PixelSize from, to;
  int channels;
  const char* sha256;  // its first 16 digits
};

constexpr Case kCases[] = {
    {{90, 70}, {96, 64}, 3, "ba643cf93f191ee9"},    // rows first
    {{90, 70}, {75, 18}, 3, "c60d53ab04df37a7"},    // rows first although both shrink
    {{90, 70}, {30, 20}, 3, "bae878755e5e47e2"},    // columns first
    {{90, 70}, {60, 30}, 3, "3d1010f680d19ed7"},    // columns first, by a little
    {{90, 70}, {181, 140}, 3, "7dd23ef8efbd6bed"},  // larger
    {{90, 70}, {90, 33}, 3, "4a51e0948577cd2e"},    // one pass
    {{90, 70}, {1, 1}, 3, "2044b51a08d7caf0"},     {{3, 5}, {16, 16}, 3, "566ae70e63766cb8"},
    {{60, 48}, {96, 64}, 1, "84fe17f35b831801"},   {{60, 48}, {16, 48}, 1, "47dcda72200a2ee7"},
    {{61, 47}, {7, 40}, 1, "e67ea818ee3f6d46"},
};

std::vector<std::uint8_t> pixels_of(const Case& c) {
  return c.channels == 3 ? test::init_picture(c.from.width, c.from.height).rgb
                         : test::init_mask(c.from.width, c.from.height).values;
}

TEST(Resample, EqualsPillow) {
  for (const Case& c : kCases) {
    const std::vector<std::uint8_t> out = resize_lanczos(pixels_of(c), c.channels, c.from, c.to);
    EXPECT_EQ(sha256_hex(std::as_bytes(std::span(out))).substr(0, 16), c.sha256)
        << c.from.width << "x" << c.from.height << " to " << c.to.width << "x" << c.to.height;
  }
}

TEST(Resample, EqualSizesAreACopy) {
  const InitPicture p = test::init_picture(7, 5);
  EXPECT_EQ(resize_lanczos(p.rgb, 3, {7, 5}, {7, 5}), p.rgb);
}

// Weights sum to one and overshoot is cut: a flat picture stays flat, at any size.
TEST(Resample, AFlatPictureStaysFlat) {
  for (const int value : {0, 1, 128, 254, 255}) {
    const std::vector<std::uint8_t> flat(33 * 21, static_cast<std::uint8_t>(value));
    for (const PixelSize to : {PixelSize{1, 1}, {100, 3}, {32, 22}, {2, 400}}) {
      for (const std::uint8_t v : resize_lanczos(flat, 1, {33, 21}, to)) ASSERT_EQ(v, value);
    }
  }
}

TEST(Resample, BytesThatDoNotFitAreABug) {
  const std::vector<std::uint8_t> bytes(12);
  EXPECT_THROW((void)resize_lanczos(bytes, 3, {2, 3}, {4, 4}), Error);
  EXPECT_THROW((void)resize_lanczos(bytes, 3, {2, 2}, {0, 4}), Error);
}

}  // namespace
}  // namespace octet
