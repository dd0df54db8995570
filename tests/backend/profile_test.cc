// The profiling backend: what it counts, and that results and everything else pass through.
#include <gtest/gtest.h>

#include <numeric>

#include "backend/cpu/cpu_backend.h"
#include "backend/null/null_backend.h"
#include "backend/ops_checked.h"
#include "backend/profile/profiling_backend.h"
#include "support/recording_backend.h"

namespace octet {
namespace {

HostWeight weight_of(std::int64_t out, std::int64_t in) {
  HostWeight w{.name = "w", .dtype = DType::kF32, .dims = {out, in}};
  std::vector<float> values(static_cast<std::size_t>(out * in));
  std::iota(values.begin(), values.end(), 0.0f);
  const auto bytes = std::as_bytes(std::span(values));
  w.data.assign(bytes.begin(), bytes.end());
  return w;
}

TEST(OpCost, CountsProducts) {
  const auto null = make_null_backend({});
  const Weight w = null->prepare(weight_of(5, 3), Compute::kF32);
  float memory[64] = {};
  const Tensor x = make_tensor(memory, DType::kF32, {2, 4, 3});
  const Tensor y = make_tensor(memory, DType::kF32, {2, 4, 5});
  const OpCost linear = cost_of(LinearArgs{.dst = y, .x = x, .weight = &w});
  EXPECT_EQ(linear.flops, 2.0 * 8 * 5 * 3);
  EXPECT_EQ(linear.bytes, (8 * 3 + 8 * 5 + 15) * 4.0);
  EXPECT_EQ(linear.shape, "8x5 k3 -> f32");
  EXPECT_EQ(linear.numbers, "f32");
  const OpCost gelu =
      cost_of(LinearArgs{.dst = y, .x = x, .weight = &w, .act = Act::kGeluTanh, .residual = y});
  EXPECT_EQ(gelu.shape, "8x5 k3 -> f32 +act");
  EXPECT_EQ(gelu.bytes, linear.bytes + 8 * 5 * 4.0);
}

TEST(OpCost, CountsAttentionAndConvolutions) {
  float memory[1] = {};
  const Tensor q = make_tensor(memory, DType::kBF16, {2, 7, 3, 4});
  const Tensor k = make_tensor(memory, DType::kBF16, {2, 5, 3, 4});
  const Tensor dst = make_tensor(memory, DType::kBF16, {2, 7, 12});
  const OpCost attention = cost_of(AttentionArgs{.dst = dst, .q = q, .k = k, .v = k});
  EXPECT_EQ(attention.flops, 4.0 * 2 * 3 * 7 * 5 * 4);
  EXPECT_EQ(attention.bytes, 2.0 * (2 * 7 * 12 * 2 + 2 * (2 * 5 * 12)));
  EXPECT_EQ(attention.numbers, "bf16");

  Weight w;
  w.out = 6;
  w.in = 2;
  w.kernel = 3;
  const Tensor x = make_tensor(memory, DType::kF32, {1, 4, 4, 2});
  const Tensor y = make_tensor(memory, DType::kF32, {1, 8, 8, 6});
  EXPECT_EQ(cost_of(Conv2dArgs{.dst = y, .x = x, .weight = &w, .upsample = true}).flops,
            2.0 * 8 * 8 * 6 * 2 * 9);
}

TEST(OpCost, MovingOpsCountBytesAlone) {
  float memory[1] = {};
  const Tensor x = make_tensor(memory, DType::kF32, {2, 3});
  EXPECT_EQ(cost_of(AddArgs{.dst = x, .a = x, .b = x}).bytes, 3 * 24.0);
  EXPECT_EQ(cost_of(AddArgs{.dst = x, .a = x, .b = x}).flops, 0);
  const Tensor s = make_tensor(memory, DType::kF32, {1, 2, 3});
  LayerNormModulateArgs plain{.dst = s, .x = s};
  LayerNormModulateArgs branch{.dst = s, .x = s};
  branch.branches[0] = {.value = s, .gate = x};
  EXPECT_EQ(cost_of(plain).bytes, 2 * 24.0);
  EXPECT_EQ(cost_of(branch).bytes, 4 * 24.0) << "the branch is read, x written back";
}

TEST(ProfilingBackend, PassesThroughAndNotes) {
  const auto cpu = make_cpu_backend({.threads = 1});
  OpLog log;
  const auto profiler = make_profiling_backend(*cpu, log, true);
  EXPECT_EQ(profiler->info().kind, "cpu");
  Arena arena(profiler->allocate(1 << 16));
  const Ctx ctx{*profiler, arena};
  const Weight w = profiler->prepare(weight_of(2, 2), Compute::kF32);
  const Tensor x = arena.tensor(DType::kF32, {1, 2});
  const Tensor y = arena.tensor(DType::kF32, {1, 2});
  log.stage = "first";
  ops::fill(ctx, {.dst = x, .value = 3});
  log.stage = "second";
  ops::linear(ctx, {.dst = y, .x = x, .weight = &w});
  profiler->finish();
  float result[2];
  profiler->download(std::as_writable_bytes(std::span(result)), y);
  EXPECT_EQ(result[0], 3.0f);
  EXPECT_EQ(result[1], 15.0f);
  ASSERT_EQ(log.calls.size(), 2u);
  EXPECT_EQ(log.calls[0].cost.op, "fill");
  EXPECT_EQ(log.calls[0].stage, "first");
  EXPECT_EQ(log.calls[1].cost.op, "linear");
  EXPECT_EQ(log.calls[1].stage, "second");
  EXPECT_GT(log.calls[0].seconds, 0);
  EXPECT_GT(log.calls[1].seconds, 0);
}

TEST(ProfilingBackend, SaysWhoTookAProduct) {
  test::RecordingBackend device;
  device.product_of_all = "generic";
  OpLog log;
  const auto profiler = make_profiling_backend(device, log, false);
  Weight w{.out = 5, .in = 3};
  char never_read = 0;
  const Tensor x = make_tensor(&never_read, DType::kF32, {8, 3});
  const Tensor y = make_tensor(&never_read, DType::kF32, {8, 5});
  profiler->linear({.dst = y, .x = x, .weight = &w});
  EXPECT_EQ(log.calls.at(0).cost.shape, "8x5 k3 -> f32 by generic");
}

TEST(HostClock, CountsFromTheFirstMark) {
  const auto cpu = make_cpu_backend({.threads = 1});
  const auto clock = cpu->make_clock();
  EXPECT_TRUE(clock->seconds().empty());
  for (int i = 0; i < 3; ++i) clock->mark();
  const std::vector<double> seconds = clock->seconds();
  ASSERT_EQ(seconds.size(), 3u);
  EXPECT_EQ(seconds[0], 0);
  EXPECT_LE(seconds[1], seconds[2]);
}

}  // namespace
}  // namespace octet
