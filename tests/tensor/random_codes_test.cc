// Random tensors by formula: fixed values (a script elsewhere computes the same), distribution,
// and ranges that begin and end anywhere.
#include "tensor/random_codes.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <map>

#include "tensor/float_formats.h"

namespace octet {
namespace {

std::vector<float> values(const RandomCodes& codes, std::size_t count) {
  std::vector<std::byte> bytes(count * size_of(codes.dtype));
  fill_random(codes, 0, bytes);
  std::vector<float> result(count);
  decode_to_f32(codes.dtype, bytes.data(), result.data(), count);
  return result;
}

// From the definition in the header, worked out in Python with statistics.NormalDist.
TEST(RandomCodes, FixedValues) {
  EXPECT_EQ(random_index(0, 0), 0u);
  EXPECT_EQ(random_index(0, 1), 2348u);
  EXPECT_EQ(random_index(12345, 7), 2666u);
  const std::vector<float> v = values({.dtype = DType::kF32, .seed = 12345}, 3);
  EXPECT_EQ(v, (std::vector<float>{-0.720947265625f, -0.583740234375f, -0.8759765625f}));
}

TEST(RandomCodes, IsNormallyDistributed) {
  constexpr std::size_t kCount = 1 << 18;
  const std::vector<float> v = values({.mean = 3.0f, .deviation = 0.5f, .seed = 99}, kCount);
  double sum = 0, squares = 0, within = 0, next = 0;
  for (std::size_t i = 0; i < kCount; ++i) {
    const double z = (static_cast<double>(v[i]) - 3.0) / 0.5;
    sum += z;
    squares += z * z;
    within += std::fabs(z) < 1 ? 1 : 0;
    if (i > 0) next += z * (static_cast<double>(v[i - 1]) - 3.0) / 0.5;
  }
  EXPECT_NEAR(sum / kCount, 0, 0.01);
  EXPECT_NEAR(squares / kCount, 1, 0.02);
  EXPECT_NEAR(within / kCount, 0.6827, 0.005);
  EXPECT_NEAR(next / kCount, 0, 0.01) << "neighbours are independent";
}

TEST(RandomCodes, SeedsGiveDifferentTensors) {
  EXPECT_NE(values({.seed = 1}, 64), values({.seed = 2}, 64));
  EXPECT_EQ(values({.seed = 1}, 64), values({.seed = 1}, 64));
}

TEST(RandomCodes, EveryTypeRoundsTheSameValues) {
  const std::vector<float> exact = values({.deviation = 100, .seed = 5}, 1000);
  for (const DType type : {DType::kF16, DType::kBF16, DType::kF8E4M3, DType::kF8E5M2}) {
    const std::vector<float> rounded = values({.dtype = type, .deviation = 100, .seed = 5}, 1000);
    for (std::size_t i = 0; i < exact.size(); ++i) {
      std::uint32_t code = 0;
      float expected = 0;
      encode_from_f32(type, &exact[i], &code, 1);
      decode_to_f32(type, &code, &expected, 1);
      ASSERT_EQ(rounded[i], expected) << name_of(type) << " " << i;
    }
  }
}

TEST(RandomCodes, AnyRange) {
  for (const DType type : {DType::kF8E4M3, DType::kBF16, DType::kF32}) {
    const RandomCodes codes{.dtype = type, .seed = 77};
    std::vector<std::byte> whole(40 * size_of(type));
    fill_random(codes, 0, whole);
    for (std::size_t begin = 0; begin < 24; ++begin) {
      for (std::size_t count = 1; begin + count <= whole.size(); ++count) {
        std::vector<std::byte> part(count, std::byte{0xAA});
        fill_random(codes, begin, part);
        ASSERT_EQ(0, std::memcmp(part.data(), whole.data() + begin, count))
            << begin << " " << count;
      }
    }
  }
}

}  // namespace
}  // namespace octet
