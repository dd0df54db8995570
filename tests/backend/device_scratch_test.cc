// What ops keep beside their operands, as the planner adds it up.
#include "backend/device_scratch.h"

#include <gtest/gtest.h>

namespace octet {
namespace {

Tensor shape(DType dtype, std::initializer_list<std::int64_t> dims) {
  static char never_read;
  return make_tensor(&never_read, dtype, dims);
}

Activation fp8(std::initializer_list<std::int64_t> dims) {
  return {shape(DType::kF8E4M3, dims), shape(DType::kF32, {*dims.begin(), 1})};
}

std::size_t of(const LinearArgs& a) {
  DeviceScratch s;
  s.note(a);
  return s.total();
}

std::size_t of(const AttentionArgs& a) {
  DeviceScratch s;
  s.note(a);
  return s.total();
}

AttentionArgs attention(std::int64_t queries, std::int64_t keys, std::int64_t heads,
                        std::int64_t size) {
  return {.dst = shape(DType::kBF16, {1, queries, heads * size}),
          .q = shape(DType::kBF16, {1, queries, heads, size}),
          .k = shape(DType::kBF16, {1, keys, heads, size}),
          .v = shape(DType::kBF16, {1, keys, heads, size})};
}

TEST(DeviceScratch, LinearKeepsWhatNeedsAnotherPass) {
  Weight w{.out = 64, .in = 32, .compute = Compute::kBF16};
  const Tensor dst = shape(DType::kBF16, {10, 64});
  EXPECT_EQ(of(LinearArgs{.dst = dst, .weight = &w}), 0u);
  EXPECT_EQ(of(LinearArgs{.dst = dst, .weight = &w, .act = Act::kGeluTanh}), 10u * 64 * 2);
  EXPECT_EQ(of(LinearArgs{.dst = fp8({10, 64}), .weight = &w}), 10u * 64 * 2);
  EXPECT_EQ(of(LinearArgs{.dst = dst, .weight = &w, .residual = dst}), 10u * 64 * 2);
  w.compute = Compute::kW8A16;
  EXPECT_EQ(of(LinearArgs{.dst = dst, .weight = &w}), 64u * 32 * 2);
  w.compute = Compute::kF32;
  EXPECT_EQ(of(LinearArgs{.dst = fp8({10, 64}), .weight = &w}), 10u * 64 * 4);
  w = {.out = 63, .in = 32, .compute = Compute::kFP8};  // no tensor cores: sums in FP32
  EXPECT_EQ(of(LinearArgs{.dst = fp8({10, 63}), .weight = &w}), 10u * 63 * 4);
}

TEST(DeviceScratch, AttentionKeepsScoresOfAsManyRowsAsFit) {
  EXPECT_EQ(of(attention(4429, 4429, 38, 64)), 0u) << "has a kernel of its own";
  EXPECT_EQ(of(attention(10, 21, 1, 512)), 10u * 24 * kBytesPerScore);
  const std::size_t vae = of(attention(16384, 16384, 1, 512));
  EXPECT_LE(vae, kScoreBytes);
  EXPECT_GT(vae, kScoreBytes - 16384 * kBytesPerScore);
  AttentionArgs causal = attention(77, 77, 12, 64);
  causal.causal = true;
  EXPECT_EQ(of(causal), 77u * 80 * 12 * kBytesPerScore);
  AttentionArgs quantised = attention(16, 16, 2, 64);
  quantised.dst = fp8({1, 16, 128});
  quantised.rest = fp8({1, 4, 128});
  EXPECT_EQ(of(quantised), (16u + 4) * 128 * 2);
}

TEST(DeviceScratch, PurposesAddUpAndOpsDoNot) {
  const Weight w{.out = 64, .in = 32, .compute = Compute::kW8A16};
  DeviceScratch s;
  for (const std::int64_t rows : {10, 30, 20}) {
    s.note(LinearArgs{.dst = fp8({rows, 64}), .weight = &w});
  }
  EXPECT_EQ(s.total(), 30u * 64 * 2 + 64 * 32 * 2);
}

}  // namespace
}  // namespace octet
