// Weights to E4M3 and back, against arithmetic written out.
#include "quantize/fp8_weight.h"

#include <gtest/gtest.h>

#include <cmath>

#include "support/errors.h"
#include "support/tensors.h"
#include "tensor/float_formats.h"

namespace octet {
namespace {

HostWeight weight_of(std::int64_t rows, std::int64_t columns, const std::vector<float>& values,
                     DType dtype = DType::kF32) {
  const test::TestTensor t = test::tensor_of({rows, columns}, values, dtype);
  return {.name = "layer.weight", .dtype = dtype, .dims = t.dims, .data = t.data};
}

std::vector<float> random_values(std::size_t count, unsigned seed) {
  test::Random random(seed);
  std::vector<float> values(count);
  for (float& v : values) {
    const auto unit = static_cast<float>(static_cast<std::int32_t>(random())) * 0x1p-31f;
    v = unit * std::exp2(static_cast<float>(random() % 12) - 9.0f);
  }
  return values;
}

TEST(Fp8Weight, RowsByHand) {
  ThreadPool pool(1);
  // Scales 1 and 0.5: 448 = largest; 17 lies between 16 and 18, ties to even; 1e-4 vanishes.
  const HostWeight q = quantise_weight(weight_of(2, 4, {448, 17, -19, 1e-4f, -224, 0, 9, 0.25f}),
                                       WeightScale::kRow, 1, pool);
  EXPECT_EQ(q.dtype, DType::kF8E4M3);
  EXPECT_EQ(q.scale_kind, ScaleKind::kRow);
  EXPECT_EQ(q.scale, (std::vector<float>{1.0f, 0.5f}));
  EXPECT_EQ(values_of(q), (std::vector<float>{448, 16, -20, 0, -224, 0, 9, 0.25f}));
  EXPECT_EQ(static_cast<int>(q.data[0]), 0x7E);
}

TEST(Fp8Weight, EqualsArithmeticWrittenOut) {
  constexpr std::int64_t kRows = 13;
  constexpr std::int64_t kColumns = 37;
  const std::vector<float> values = random_values(kRows * kColumns, 5);
  for (const int threads : {1, 3}) {
    ThreadPool pool(threads);
    const HostWeight q =
        quantise_weight(weight_of(kRows, kColumns, values), WeightScale::kRow, 1, pool);
    for (std::int64_t r = 0; r < kRows; ++r) {
      float amax = 0;
      for (std::int64_t c = 0; c < kColumns; ++c) {
        amax = std::max(amax, std::fabs(values[static_cast<std::size_t>(r * kColumns + c)]));
      }
      EXPECT_EQ(q.scale[static_cast<std::size_t>(r)], amax / 448.0f);
      for (std::int64_t c = 0; c < kColumns; ++c) {
        const auto i = static_cast<std::size_t>(r * kColumns + c);
        EXPECT_EQ(static_cast<std::uint8_t>(q.data[i]), f32_to_e4m3(values[i] / (amax / 448.0f)));
      }
    }
    EXPECT_LT(worst_row_error(weight_of(kRows, kColumns, values), q), 0.04);
  }
}

TEST(Fp8Weight, OneScaleForEachPart) {
  ThreadPool pool(2);
  const std::vector<float> values = random_values(6 * 5, 6);
  const HostWeight three = quantise_weight(weight_of(6, 5, values), WeightScale::kTensor, 3, pool);
  EXPECT_EQ(three.scale[0], three.scale[1]);
  EXPECT_NE(three.scale[1], three.scale[2]);
  EXPECT_EQ(three.scale[4], three.scale[5]);
  const HostWeight one = quantise_weight(weight_of(6, 5, values), WeightScale::kTensor, 1, pool);
  EXPECT_EQ(one.scale, std::vector<float>(6, one.scale[0]));
  EXPECT_EQ(one.scale[0], *std::max_element(three.scale.begin(), three.scale.end()));
}

TEST(Fp8Weight, SixteenBitSourcesAreReadExactly) {
  ThreadPool pool(1);
  const std::vector<float> values = {448, 1.5f, -0.375f, 2};
  for (const DType dtype : {DType::kF16, DType::kBF16}) {
    const HostWeight q =
        quantise_weight(weight_of(1, 4, values, dtype), WeightScale::kRow, 1, pool);
    EXPECT_EQ(values_of(q), values);
  }
}

TEST(Fp8Weight, ZeroRowsKeepAScale) {
  ThreadPool pool(1);
  const HostWeight q = quantise_weight(weight_of(2, 2, {0, 0, 1, -1}), WeightScale::kRow, 1, pool);
  EXPECT_EQ(q.scale[0], 1.0f);
  EXPECT_EQ(values_of(q), (std::vector<float>{0, 0, 1, -1}));
}

TEST(Fp8Weight, NotFiniteIsRefused) {
  ThreadPool pool(2);
  for (const float bad : {NAN, INFINITY, -INFINITY}) {
    test::expect_error(Code::kCorruptFile, "row 1", [&] {
      (void)quantise_weight(weight_of(2, 2, {0, 0, 1, bad}), WeightScale::kRow, 1, pool);
    });
  }
}

TEST(Fp8Weight, OneWrongRowIsTheWorst) {
  ThreadPool pool(1);
  const HostWeight source = weight_of(40, 7, random_values(280, 7));
  HostWeight q = quantise_weight(source, WeightScale::kRow, 1, pool);
  const double good = worst_row_error(source, q);
  EXPECT_GT(good, 0.005);
  q.scale[33] *= 10;
  EXPECT_NEAR(worst_row_error(source, q), 9.0, 0.5);
  EXPECT_EQ(worst_row_error(source, source), 0.0);
}

TEST(Fp8Weight, SomethingInARowOfZerosIsInfinitelyWrong) {
  const HostWeight source = weight_of(1, 2, {0, 0});
  EXPECT_TRUE(std::isinf(worst_row_error(source, weight_of(1, 2, {0, 1e-20f}))));
}

TEST(Fp8Weight, BlockScalesAreApplied) {
  HostWeight w = weight_of(3, 3, {1, 1, 1, 1, 1, 1, 1, 1, 1});
  w.scale_kind = ScaleKind::kBlock;
  w.block = 2;
  w.scale = {2, 3, 5, 7};
  EXPECT_EQ(values_of(w), (std::vector<float>{2, 2, 3, 2, 2, 3, 5, 5, 7}));
}

}  // namespace
}  // namespace octet
