// Short float formats against their definitions, computed here in a second way: codes are decoded
// by arithmetic on doubles, and encoding is compared with a search over all codes.
#include "tensor/float_formats.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "support/errors.h"

namespace octet {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
const float kNan = std::numeric_limits<float>::quiet_NaN();

struct SmallFormat {
  const char* name;
  int bits, mantissa, bias;
  std::uint32_t largest;   // code of the largest finite value
  std::uint32_t infinity;  // code of infinity; 0: there is none
  float (*decode)(std::uint32_t);
  std::uint32_t (*encode)(float);
  bool saturates;

  [[nodiscard]] std::uint32_t sign() const { return 1u << (bits - 1); }
  // (-1)^s 2^(e-bias) 1.m, written out.
  [[nodiscard]] double value(std::uint32_t code) const {
    const std::uint32_t size = code & (sign() - 1);
    const int exponent = static_cast<int>(size >> mantissa);
    const double fraction =
        static_cast<double>(size & ((1u << mantissa) - 1)) / static_cast<double>(1u << mantissa);
    const double v = exponent == 0 ? std::pow(2.0, 1 - bias) * fraction
                                   : std::pow(2.0, exponent - bias) * (1.0 + fraction);
    return (code & sign()) != 0 ? -v : v;
  }
};

const SmallFormat kFormats[] = {
    {"e4m3", 8, 3, 7, 0x7E, 0, [](std::uint32_t c) { return e4m3_to_f32(std::uint8_t(c)); },
     [](float v) { return std::uint32_t{f32_to_e4m3(v)}; }, true},
    {"e5m2", 8, 2, 15, 0x7B, 0x7C, [](std::uint32_t c) { return e5m2_to_f32(std::uint8_t(c)); },
     [](float v) { return std::uint32_t{f32_to_e5m2(v)}; }, true},
    {"f16", 16, 10, 15, 0x7BFF, 0x7C00,
     [](std::uint32_t c) { return f16_to_f32(std::uint16_t(c)); },
     [](float v) { return std::uint32_t{f32_to_f16(v)}; }, false},
    {"bf16", 16, 7, 127, 0x7F7F, 0x7F80,
     [](std::uint32_t c) { return bf16_to_f32(std::uint16_t(c)); },
     [](float v) { return std::uint32_t{f32_to_bf16(v)}; }, false},
};

class SmallFloat : public testing::TestWithParam<SmallFormat> {};

TEST_P(SmallFloat, EveryCodeDecodesToItsDefinition) {
  const SmallFormat& f = GetParam();
  for (std::uint32_t code = 0; code < 2 * f.sign(); ++code) {
    const std::uint32_t size = code & (f.sign() - 1);
    const float got = f.decode(code);
    if (size <= f.largest) {
      ASSERT_EQ(static_cast<double>(got), f.value(code)) << std::hex << code;
      ASSERT_EQ(std::signbit(got), (code & f.sign()) != 0) << std::hex << code;
    } else if (size == f.infinity) {
      ASSERT_EQ(got, (code & f.sign()) != 0 ? -kInfinity : kInfinity) << std::hex << code;
    } else {
      ASSERT_TRUE(std::isnan(got)) << std::hex << code;
    }
  }
}

TEST_P(SmallFloat, EveryFiniteCodeComesBack) {
  const SmallFormat& f = GetParam();
  for (std::uint32_t code = 0; code < 2 * f.sign(); ++code) {
    if ((code & (f.sign() - 1)) > f.largest) continue;
    ASSERT_EQ(f.encode(f.decode(code)), code) << std::hex << code;
  }
}

TEST_P(SmallFloat, NanStaysNan) {
  const SmallFormat& f = GetParam();
  // A payload in the low bits only must not become infinity.
  for (const float nan : {kNan, -kNan, std::bit_cast<float>(0x7F800001u),
                          std::bit_cast<float>(0xFFBFFFFFu), std::bit_cast<float>(0x7FFFFFFFu)}) {
    EXPECT_TRUE(std::isnan(f.decode(f.encode(nan))));
  }
}

TEST_P(SmallFloat, ZerosKeepTheirSign) {
  const SmallFormat& f = GetParam();
  EXPECT_EQ(f.encode(0.0f), 0u);
  EXPECT_EQ(f.encode(-0.0f), f.sign());
  const float tiny = std::numeric_limits<float>::denorm_min();
  EXPECT_EQ(f.encode(tiny), 0u);
  EXPECT_EQ(f.encode(-tiny), f.sign());
}

TEST_P(SmallFloat, BeyondTheLargest) {
  const SmallFormat& f = GetParam();
  const std::uint32_t top = f.saturates ? f.largest : f.infinity;
  const double spacing = f.value(f.largest) - f.value(f.largest - 1);
  const auto tie = static_cast<float>(f.value(f.largest) + spacing / 2);
  EXPECT_EQ(f.encode(std::nextafter(tie, 0.0f)), f.largest);
  EXPECT_EQ(f.encode(tie), top);  // the largest code is odd, so the tie goes up
  for (const float v :
       {std::nextafter(tie, kInfinity), std::numeric_limits<float>::max(), kInfinity}) {
    EXPECT_EQ(f.encode(v), top) << v;
    EXPECT_EQ(f.encode(-v), top | f.sign()) << v;
  }
}

TEST_P(SmallFloat, TiesGoToTheEvenCode) {
  const SmallFormat& f = GetParam();
  for (std::uint32_t code = 0; code < f.largest; ++code) {
    const double middle = (f.value(code) + f.value(code + 1)) / 2;
    const auto tie = static_cast<float>(middle);
    if (static_cast<double>(tie) != middle || !std::isnormal(tie)) continue;  // not an FP32 number
    const std::uint32_t even = code % 2 == 0 ? code : code + 1;
    ASSERT_EQ(f.encode(tie), even) << std::hex << code;
    ASSERT_EQ(f.encode(-tie), even | f.sign()) << std::hex << code;
    ASSERT_EQ(f.encode(std::nextafter(tie, 0.0f)), code) << std::hex << code;
    ASSERT_EQ(f.encode(std::nextafter(tie, kInfinity)), code + 1) << std::hex << code;
  }
}

// The nearest finite code, ties to the even one, by search.
std::uint32_t nearest_code(const SmallFormat& f, float value) {
  const double size = std::fabs(static_cast<double>(value));
  std::uint32_t low = 0;
  std::uint32_t high = f.largest;
  while (high - low > 1) {
    const std::uint32_t middle = (low + high) / 2;
    (f.value(middle) <= size ? low : high) = middle;
  }
  const double below = size - f.value(low);
  const double above = f.value(high) - size;
  const bool up = below > above || (below == above && high % 2 == 0);
  return (up ? high : low) | (std::signbit(value) ? f.sign() : 0);
}

TEST_P(SmallFloat, EncodeIsTheNearestCode) {
  const SmallFormat& f = GetParam();
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> exponent(std::max(-126.0, 1.0 - f.bias - f.mantissa - 3),
                                                  std::log2(f.value(f.largest)));
  std::uniform_real_distribution<double> mantissa(1.0, 2.0);
  for (int i = 0; i < 40000; ++i) {
    double size = mantissa(random) * std::pow(2.0, exponent(random) - 1);
    if (i % 2 == 1) size = -size;
    const auto value = static_cast<float>(size);
    if (std::fabs(static_cast<double>(value)) > f.value(f.largest)) continue;
    ASSERT_EQ(f.encode(value), nearest_code(f, value)) << std::hexfloat << value;
  }
}

INSTANTIATE_TEST_SUITE_P(All, SmallFloat, testing::ValuesIn(kFormats),
                         [](const auto& test) { return std::string(test.param.name); });

// Figures of the OCP specification and of conversions measured elsewhere.
TEST(FloatFormats, KnownCodes) {
  EXPECT_EQ(f32_to_e4m3(1.0f), 0x38);
  EXPECT_EQ(f32_to_e5m2(1.0f), 0x3C);
  EXPECT_EQ(f32_to_e4m3(448.0f), 0x7E);
  EXPECT_EQ(f32_to_e4m3(449.0f), 0x7E);
  EXPECT_EQ(f32_to_e4m3(1e9f), 0x7E);
  EXPECT_EQ(f32_to_e4m3(-kInfinity), 0xFE);
  EXPECT_EQ(f32_to_e5m2(kInfinity), 0x7B);
  EXPECT_EQ(f32_to_e4m3(kNan) & 0x7F, 0x7F);
  EXPECT_EQ(f32_to_e4m3(std::ldexp(1.0f, -10)), 0x00);  // a tie: to even, which is zero
  EXPECT_EQ(f32_to_e4m3(std::nextafter(std::ldexp(1.0f, -10), 1.0f)), 0x01);
  EXPECT_EQ(e4m3_to_f32(0x01), std::ldexp(1.0f, -9));
  EXPECT_EQ(e4m3_to_f32(0x08), std::ldexp(1.0f, -6));
  EXPECT_EQ(e5m2_to_f32(0x01), std::ldexp(1.0f, -16));
  EXPECT_EQ(e4m3_to_f32(f32_to_e4m3(1.0625f)), 1.0f);
  EXPECT_EQ(e4m3_to_f32(f32_to_e4m3(1.1875f)), 1.25f);
  EXPECT_EQ(e5m2_to_f32(f32_to_e5m2(61439.0f)), kE5M2Max);
  EXPECT_EQ(f32_to_f16(65519.0f), 0x7BFF);
  EXPECT_EQ(f32_to_f16(65520.0f), 0x7C00);
  EXPECT_EQ(f32_to_f16(std::ldexp(1.0f, -24)), 0x0001);
  EXPECT_EQ(f32_to_bf16(1.0f), 0x3F80);
}

TEST(FloatFormats, ArraysAgreeWithScalars) {
  std::mt19937 random(std::random_device{}());
  std::normal_distribution<float> normal(0, 3);
  std::vector<float> values(37);
  for (float& v : values) v = normal(random);
  values[0] = 0;
  for (const DType d : {DType::kF32, DType::kF16, DType::kBF16, DType::kF8E4M3, DType::kF8E5M2}) {
    std::vector<unsigned char> codes(values.size() * size_of(d) + 1, 0xAB);
    encode_from_f32(d, values.data(), codes.data(), values.size());
    EXPECT_EQ(codes.back(), 0xAB) << "written beyond the end";
    std::vector<float> back(values.size() + 1, 7.0f);
    decode_to_f32(d, codes.data(), back.data(), values.size());
    EXPECT_EQ(back.back(), 7.0f);
    for (std::size_t i = 0; i < values.size(); ++i) {
      float expected = values[i];
      if (d == DType::kF16) expected = f16_to_f32(f32_to_f16(expected));
      if (d == DType::kBF16) expected = bf16_to_f32(f32_to_bf16(expected));
      if (d == DType::kF8E4M3) expected = e4m3_to_f32(f32_to_e4m3(expected));
      if (d == DType::kF8E5M2) expected = e5m2_to_f32(f32_to_e5m2(expected));
      EXPECT_EQ(back[i], expected) << name_of(d) << " " << values[i];
    }
  }
}

TEST(FloatFormats, UnalignedSourcesAreRead) {
  const std::vector<float> values = {1.5f, -2.25f, 1024.0f};
  std::vector<unsigned char> codes(1 + 3 * sizeof(std::uint16_t));
  encode_from_f32(DType::kBF16, values.data(), codes.data() + 1, values.size());
  std::vector<float> back(3);
  decode_to_f32(DType::kBF16, codes.data() + 1, back.data(), back.size());
  EXPECT_EQ(back, values);
}

TEST(FloatFormats, IntegersAreNotFloats) {
  float value = 0;
  std::uint32_t code = 0;
  test::expect_error(Code::kInternal, "not a float",
                     [&] { decode_to_f32(DType::kI32, &code, &value, 1); });
  test::expect_error(Code::kInternal, "not a float",
                     [&] { encode_from_f32(DType::kU8, &value, &code, 1); });
}

}  // namespace
}  // namespace octet
