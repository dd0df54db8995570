// Noise against digests of what PyTorch 2.9.1 (x86-64, AVX2) draws.
#include "diffusion/rng.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <cstring>
#include <vector>

#include "base/sha256.h"

namespace octet {
namespace {

std::string digest(const std::vector<float>& values) {
  return sha256_hex(std::as_bytes(std::span(values))).substr(0, 16);
}

std::string digest_high_words(const std::vector<float>& values) {
  std::vector<std::uint16_t> words;
  for (const float value : values) {
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof(bits));
    EXPECT_EQ(bits & 0xffffu, 0u);
    words.push_back(static_cast<std::uint16_t>(bits >> 16));
  }
  return sha256_hex(std::as_bytes(std::span(words))).substr(0, 16);
}

struct Expected {
  std::uint64_t seed;
  std::size_t size;
  const char* first;     // randn(size)
  const char* sequence;  // randn of size, 3, 20 and 2 from one generator, joined
  const char* bf16;      // the same in bfloat16 with size and 3
};

constexpr Expected kExpected[] = {
    {0, 262144, "dce02e02da56c18c", "7c4824b9be1e4335", "65405b2ba0af02c3"},
    {42, 262144, "9d775f7135ddb2c8", "0dce5fd07a11decf", "ce45488248239dfe"},
    {7, 5, "8245aabcba2f8fa8", "ab6d4ff1a8ee4c79", "a92b56db1b0a0d43"},
    {7, 15, "e8fe4bd30d2a1e67", "01db180fd6ce0dd6", "ea38173a85a80b2f"},
    {123, 16, "6f6b8fc1ecfb5280", "6e2bcb42197726fd", "2cc900ecc66e164c"},
    {123, 17, "b5469ede4153570b", "4ffdc93dc22ef3e4", "51f9c71e1da49193"},
    {99, 37, "3d4386f9d02058c1", "234a48b21fba74bb", "2c5812d5dd2b93dd"},
    {5, 1000, "3c9134555a6f73c1", "140afaf5504a51c6", "075a07ea17ee451e"},
    {4294967338, 100, "6cf7236205c5dc8d", "9b9b7ff42ff0a90d", "996a08e7e593f2c5"},
};

std::vector<float> draw(TorchGenerator& generator, std::initializer_list<std::size_t> sizes,
                        bool bf16) {
  std::vector<float> all;
  for (const std::size_t size : sizes) {
    std::vector<float> part(size);
    bf16 ? generator.randn_bf16(part) : generator.randn(part);
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

TEST(Rng, EqualsTorchForEverySizeAndSeed) {
  for (const Expected& e : kExpected) {
    std::vector<float> values(e.size);
    torch_randn(e.seed, values);
    EXPECT_EQ(digest(values), e.first) << "seed " << e.seed << " size " << e.size;
    TorchGenerator generator(e.seed);
    EXPECT_EQ(digest(draw(generator, {e.size, 3, 20, 2}, false)), e.sequence)
        << "seed " << e.seed << " size " << e.size;
  }
}

TEST(Rng, Bf16EqualsTorch) {
  for (const Expected& e : kExpected) {
    TorchGenerator generator(e.seed);
    EXPECT_EQ(digest_high_words(draw(generator, {e.size, 3}, true)), e.bf16)
        << "seed " << e.seed << " size " << e.size;
  }
}

TEST(Rng, FirstValues) {
  std::vector<float> values(1024);
  torch_randn(0, values);
  EXPECT_EQ(values[0], -1.12583983f);
  EXPECT_EQ(values[3], -0.43387881f);
  torch_randn_bf16(42, values);
  EXPECT_EQ(values[0], -0.80859375f);
}

TEST(Rng, OnlyLow32BitsOfTheSeedCount) {
  std::vector<float> a(64), b(64);
  torch_randn(42, a);
  torch_randn(42 + (std::uint64_t{5} << 32), b);
  EXPECT_EQ(a, b);
}

TEST(Rng, VariantsAgreeBitForBit) {
  std::vector<float> uniform(16 * 4096);
  std::mt19937 engine(3);
  for (float& u : uniform) u = static_cast<float>(engine() & 0xffffffu) * 0x1p-24f;
  // Ends of the range: u1 = 1, the smallest u1, angles 0 and nearly 2 pi.
  for (const std::size_t i : {0u, 8u}) uniform[i] = 0.0f;
  for (const std::size_t i : {1u, 9u}) uniform[i] = 1.0f - 0x1p-24f;
  std::vector<float> portable = uniform, native = uniform;
  internal::normal_groups_portable(portable.data(), portable.size() / 16);
  if (!internal::normal_groups_fma(native.data(), native.size() / 16)) GTEST_SKIP();
  EXPECT_EQ(std::memcmp(portable.data(), native.data(), native.size() * sizeof(float)), 0);
  for (const float value : portable) EXPECT_TRUE(std::isfinite(value));
}

// Sums next to the middle between two FP32 values, where rounding twice would go wrong.
TEST(Rng, PortableFmaRoundsOnce) {
  std::mt19937 engine(8);
  int twice_differs = 0;
  const auto step = [&] { return static_cast<float>(static_cast<int>(engine() % 65) - 32); };
  for (int round = 0; round < 100000; ++round) {
    const float a = 0x1p-12f * (1.0f + step() * 0x1p-18f);
    const float b = (round % 2 == 0 ? 0x1p-12f : -0x1p-12f) * (1.0f + step() * 0x1p-18f);
    const float c =
        (round % 4 < 2 ? 1.0f : -1.0f) * (1.0f + static_cast<float>(engine() % 9) * 0x1p-23f);
    const float expected = std::fma(a, b, c);
    ASSERT_EQ(internal::portable_fma(a, b, c), expected) << a << " " << b << " " << c;
    const double naive = static_cast<double>(a) * b + c;
    twice_differs += static_cast<float>(naive) != expected ? 1 : 0;
  }
  EXPECT_GT(twice_differs, 10);
}

TEST(Rng, ZeroIsPositive) {
  float group[16] = {};  // u1 = 1 gives the radius sqrt(-2 * 0), which is -0
  internal::normal_groups_portable(group, 1);
  EXPECT_EQ(group[0], 0.0f);
  EXPECT_FALSE(std::signbit(group[0]));
}

TEST(Rng, PortableVariantIsFast) {
  std::vector<float> values(16 * 64 * 64, 0.3f);
  const auto start = std::chrono::steady_clock::now();
  internal::normal_groups_portable(values.data(), values.size() / 16);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  RecordProperty("microseconds", static_cast<int>(seconds.count() * 1e6));
  EXPECT_LT(seconds.count(), 1.0);  // a few milliseconds optimised; loose for debug builds
}

TEST(Rng, LooksNormal) {
  std::vector<float> values(100003);
  torch_randn(2024, values);
  double sum = 0, squares = 0;
  for (const float v : values) sum += v, squares += static_cast<double>(v) * v;
  EXPECT_NEAR(sum / 100003, 0.0, 0.02);
  EXPECT_NEAR(squares / 100003, 1.0, 0.03);
}

}  // namespace
}  // namespace octet
