// Watching changes nothing, sees what layers got, and samples by a fixed rule.
#include "quantize/observing_backend.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <set>

#include "backend/cpu/cpu_backend.h"
#include "backend/ops_checked.h"
#include "support/errors.h"
#include "support/tensors.h"

namespace octet {
namespace {

constexpr const char* kWatched = "transformer_blocks.0.ff.net.2.weight";

HostWeight weight_named(const std::string& name, std::int64_t out, std::int64_t in) {
  test::Random random(4);
  const test::TestTensor t = test::random_tensor({out, in}, random, 1);
  return {.name = name,
          .dtype = DType::kF32,
          .dims = t.dims,
          .data = t.data,
          .bias = std::vector<float>(static_cast<std::size_t>(out), 0.5f)};
}

/// A watched layer of 5 from 7 on the CPU, with an input of 2 x 3 rows.
class Watched : public testing::Test {
 protected:
  void prepare(const std::string& name) {
    weight_ = backend_.prepare(weight_named(name, 5, 7), Compute::kF32);
  }
  /// Runs the layer on `x_` (a strided view) and returns what it wrote.
  std::vector<float> run(Act act = Act::kNone) {
    const Ctx ctx{backend_, arena_};
    std::vector<float> y(2 * 3 * 5, NAN);
    const Tensor dst = make_tensor(y.data(), DType::kF32, {2, 3, 5});
    ops::linear(ctx, {.dst = dst, .x = input(), .weight = &weight_, .act = act});
    return y;
  }
  Tensor input() {
    // Rows lie 9 apart and batches 4 rows apart: what is between must not be seen.
    return slice(slice(make_tensor(x_.data(), DType::kF32, {2, 4, 9}), 1, 0, 3), 2, 0, 7);
  }
  void SetUp() override {
    test::Random random(9);
    for (float& v : x_) v = static_cast<float>(static_cast<std::int32_t>(random())) * 0x1p-31f;
    x_[7] = x_[8] = x_[3 * 9] = 1e9f;  // outside the view
    x_[5 * 9 + 6] = -3;                // the largest inside
  }

  ObservingBackend backend_{make_cpu_backend({.threads = 2})};
  Arena arena_{backend_.allocate(1 << 16)};
  std::vector<float> x_ = std::vector<float>(2 * 4 * 9);
  Weight weight_;
};

TEST_F(Watched, SeesEveryInputAndChangesNothing) {
  prepare(kWatched);
  const std::vector<float> unwatched = run();
  EXPECT_EQ(backend_.layers().at("transformer_blocks.0.ff.net.2").inputs.count(), 0u);
  backend_.start(2);
  EXPECT_EQ(run(), unwatched);
  const ObservedLayer& layer = backend_.layers().at("transformer_blocks.0.ff.net.2");
  EXPECT_EQ(layer.inputs.count(), 2u * 3 * 7);
  EXPECT_EQ(layer.inputs.amax(), 3);
}

TEST_F(Watched, SamplesAreRowsOfInputAndOutput) {
  prepare(kWatched);
  backend_.start(2);
  const std::vector<float> y = run(Act::kGeluTanh);
  run(Act::kGeluTanh);
  const LayerSamples& s = backend_.layers().begin()->second.samples;
  ASSERT_EQ(s.rows, 64);
  ASSERT_EQ(s.x.size(), 64u * 7);
  ASSERT_EQ(s.y.size(), 64u * 5);
  std::set<std::size_t> seen;
  for (std::size_t i = 0; i < 64; ++i) {
    for (std::size_t row = 0; row < 6; ++row) {
      const float* x = x_.data() + (row / 3 * 4 + row % 3) * 9;
      if (!std::equal(x, x + 7, s.x.begin() + static_cast<std::ptrdiff_t>(i * 7))) continue;
      EXPECT_TRUE(std::equal(y.begin() + static_cast<std::ptrdiff_t>(row * 5),
                             y.begin() + static_cast<std::ptrdiff_t>(row * 5 + 5),
                             s.y.begin() + static_cast<std::ptrdiff_t>(i * 5)));
      seen.insert(row);
    }
  }
  EXPECT_EQ(seen.size(), 6u) << "every row is picked sooner or later";
  EXPECT_EQ(output_error(backend_, weight_, Act::kGeluTanh, s), 0);
  EXPECT_GT(output_error(backend_, weight_, Act::kNone, s), 0.1);
}

TEST_F(Watched, SamplesSpreadOverManyCalls) {
  prepare(kWatched);
  backend_.start(200);
  for (int i = 0; i < 100; ++i) run();
  EXPECT_EQ(backend_.layers().begin()->second.samples.rows, 32);
  for (int i = 0; i < 150; ++i) run();
  EXPECT_EQ(backend_.layers().begin()->second.samples.rows, 64);
}

TEST_F(Watched, CountsInputsBeyondALimit) {
  prepare(kWatched);
  backend_.layers().begin()->second.limit = 2.5f;
  backend_.start(1);
  run();
  EXPECT_EQ(backend_.layers().begin()->second.beyond, 1u);
  backend_.layers().begin()->second.limit = 3.0f;
  backend_.start(1);
  run();
  EXPECT_EQ(backend_.layers().begin()->second.beyond, 0u) << "the limit itself is inside";
}

TEST_F(Watched, OnlyLinearLayersOfBlocks) {
  for (const char* name : {"transformer_blocks.0.norm1.linear.weight", "context_embedder.weight",
                           "proj_out.weight", "text_model.encoder.layers.0.self_attn.to_q.weight",
                           "decoder.mid_block.attn.to_q.weight"}) {
    prepare(name);
    EXPECT_TRUE(backend_.layers().empty()) << name;
  }
}

TEST_F(Watched, NamesTheLayerWhoseInputIsNotFinite) {
  prepare(kWatched);
  backend_.start(1);
  x_[2] = NAN;
  test::expect_error(Code::kInternal, "transformer_blocks.0.ff.net.2", [&] { run(); });
}

TEST_F(Watched, ErrorOfAnFp8LayerIsThatOfItsRounding) {
  prepare(kWatched);
  backend_.start(1);
  run();
  const LayerSamples& s = backend_.layers().begin()->second.samples;
  HostWeight fp8 = weight_named(kWatched, 5, 7);
  std::vector<float> values(35);
  std::memcpy(values.data(), fp8.data.data(), fp8.data.size());
  const test::TestTensor codes = test::tensor_of({5, 7}, values, DType::kF8E4M3);
  fp8.dtype = DType::kF8E4M3;
  fp8.data = codes.data;
  fp8.input_scale = 3.0f / 448;
  const Weight good = backend_.inner().prepare(fp8, Compute::kFP8);
  const double error = output_error(backend_.inner(), good, Act::kNone, s);
  EXPECT_GT(error, 0.003);
  EXPECT_LT(error, 0.08);
  fp8.input_scale = 0.3f / 448;  // saturates
  const Weight bad = backend_.inner().prepare(fp8, Compute::kFP8);
  EXPECT_GT(output_error(backend_.inner(), bad, Act::kNone, s), 0.2);
}

}  // namespace
}  // namespace octet
