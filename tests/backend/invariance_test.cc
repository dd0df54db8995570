// A row's result depends on nothing but the row: the same bytes whether it is computed alone, in a
// part of the batch, or among all. Checked on every instruction set, with different thread counts.
#include <cstring>

#include "backend/cpu/cpu_backend.h"
#include "backend/op_case.h"

namespace octet {
namespace {

std::vector<unsigned char> bytes_of(const Tensor& t) {
  const auto* p = t.as<const unsigned char>();
  EXPECT_TRUE(t.dense());
  return {p, p + t.bytes()};
}

// Runs `op` over all rows of axis 0 on one backend, then over each range of rows on the other, and
// compares.
template <typename Run>
void check_split(Bench& bench, std::int64_t rows, DType dtype, std::int64_t columns, Run run) {
  const Tensor whole = bench.output(dtype, {rows, columns});
  run(whole, 0, rows);
  for (const std::int64_t step : {std::int64_t{1}, std::int64_t{5}, std::int64_t{17}, rows / 2}) {
    for (std::int64_t begin = 0; begin < rows; begin += step) {
      const std::int64_t end = std::min(begin + step, rows);
      const Tensor part = bench.output(dtype, {end - begin, columns});
      run(part, begin, end);
      ASSERT_EQ(bytes_of(part) == bytes_of(slice(whole, 0, begin, end)), true)
          << "rows " << begin << " to " << end << " of " << rows;
    }
  }
}

class Invariance : public testing::TestWithParam<std::tuple<CpuIsa, int>> {
 protected:
  std::unique_ptr<Backend> backend_ =
      make_cpu_backend({.threads = std::get<1>(GetParam()), .isa = std::get<0>(GetParam())});
  Bench bench_{*backend_, 7};
};

TEST_P(Invariance, Linear) {
  for (const Compute compute : {Compute::kF32, Compute::kBF16, Compute::kFP8}) {
    for (const std::int64_t in : {77, 1400}) {
      const Weight w =
          backend_->prepare(bench_.weight(DType::kF8E4M3, {67, in}, ScaleKind::kRow), compute);
      const Tensor x = bench_.input(w.input, {150, in});
      const Tensor scale = bench_.input(DType::kF32, {150}, {.row_gap = 0, .low = 0.1f, .high = 1});
      check_split(bench_, 150, DType::kF32, 67,
                  [&](const Tensor& dst, std::int64_t b, std::int64_t e) {
                    LinearArgs a{.dst = dst,
                                 .x = slice(x, 0, b, e),
                                 .weight = &w,
                                 .act = Act::kGeluTanh,
                                 .residual = {}};
                    if (is_fp8(w.input)) a.x.scale = slice(scale, 0, b, e);
                    ops::linear(bench_.ctx(), a);
                  });
    }
  }
}

TEST_P(Invariance, LinearToFp8) {
  const Weight w = backend_->prepare(bench_.weight(DType::kF32, {41, 53}), Compute::kF32);
  const Tensor x = bench_.input(DType::kF32, {90, 53});
  check_split(bench_, 90, DType::kF8E4M3, 41,
              [&](const Tensor& dst, std::int64_t b, std::int64_t e) {
                const Tensor scales = bench_.output(DType::kF32, {e - b});
                ops::linear(bench_.ctx(), {.dst = {dst, scales},
                                           .x = slice(x, 0, b, e),
                                           .weight = &w,
                                           .act = Act::kNone,
                                           .residual = {}});
              });
}

// Images of a batch, and for one image each picture alone.
TEST_P(Invariance, Convolution) {
  const Weight w = backend_->prepare(bench_.weight(DType::kBF16, {35, 20, 3, 3}), Compute::kBF16);
  const Tensor x = bench_.input(DType::kBF16, {7, 19, 23, 20});
  const std::int64_t size = 19 * 23 * 35;
  check_split(bench_, 7, DType::kF32, size, [&](const Tensor& dst, std::int64_t b, std::int64_t e) {
    Conv2dArgs a;
    a.dst = reshape(dst, {e - b, 19, 23, 35});
    a.x = slice(x, 0, b, e);
    a.weight = &w;
    a.pad_before = a.pad_after = 1;
    ops::conv2d(bench_.ctx(), a);
  });
}

TEST_P(Invariance, GroupNorm) {
  const Tensor x = bench_.input(DType::kF32, {6, 31, 37, 24}, {.row_gap = 0, .low = 1, .high = 4});
  const Tensor w = bench_.input(DType::kF32, {24});
  const std::int64_t size = 31 * 37 * 24;
  check_split(bench_, 6, DType::kBF16, size,
              [&](const Tensor& dst, std::int64_t b, std::int64_t e) {
                GroupNormArgs a;
                a.dst = reshape(dst, {e - b, 31, 37, 24});
                a.x = slice(x, 0, b, e);
                a.weight = a.bias = w;
                a.groups = 8;
                a.silu = true;
                ops::group_norm(bench_.ctx(), a);
              });
}

TEST_P(Invariance, AttentionOverBatch) {
  const Tensor x = bench_.input(DType::kF32, {8, 83, 6, 64});
  check_split(bench_, 8, DType::kF32, 83 * 128,
              [&](const Tensor& dst, std::int64_t b, std::int64_t e) {
                AttentionArgs a;
                a.dst = reshape(dst, {e - b, 83, 128});
                const Tensor part = slice(x, 0, b, e);
                a.q = slice(part, 2, 0, 2);
                a.k = slice(part, 2, 2, 4);
                a.v = slice(part, 2, 4, 6);
                a.scale = 0.125f;
                ops::attention(bench_.ctx(), a);
              });
}

// Queries too: a query's result does not depend on the other queries.
TEST_P(Invariance, AttentionOverQueries) {
  const Tensor q = bench_.input(DType::kBF16, {1, 120, 2, 48});
  const Tensor kv = bench_.input(DType::kBF16, {1, 200, 4, 48});
  check_split(bench_, 120, DType::kF32, 96, [&](const Tensor& dst, std::int64_t b, std::int64_t e) {
    AttentionArgs a;
    a.dst = reshape(dst, {1, e - b, 96});
    a.q = slice(q, 1, b, e);
    a.k = slice(kv, 2, 0, 2);
    a.v = slice(kv, 2, 2, 4);
    ops::attention(bench_.ctx(), a);
  });
}

std::string isa_name(const testing::TestParamInfo<std::tuple<CpuIsa, int>>& info) {
  return std::string(name_of(std::get<0>(info.param))) + "_threads" +
         std::to_string(std::get<1>(info.param));
}
INSTANTIATE_TEST_SUITE_P(Isas, Invariance,
                         testing::Combine(testing::ValuesIn(supported_isas()),
                                          testing::Values(1, 3)),
                         isa_name);

}  // namespace
}  // namespace octet
