// conv2d.
#include <cmath>

#include "backend/op_case.h"

namespace octet {
namespace {

std::size_t u(std::int64_t i) { return static_cast<std::size_t>(i); }

struct ConvSpec {
  reference::ConvShape shape;
  Compute compute;
  DType stored;
  ScaleKind scale = ScaleKind::kNone;
  DType dst = DType::kF32;
  bool residual = false;
  bool alias = false;
};

void run_conv(Bench& b, const ConvSpec& s) {
  const reference::ConvShape& c = s.shape;
  const HostWeight host = b.weight(s.stored, {c.out, c.in, c.kernel, c.kernel}, s.scale, true);
  const Weight w = b.backend().prepare(host, s.compute);
  ASSERT_EQ(w.kernel, c.kernel);
  ASSERT_NE(w.compute, Compute::kFP8);
  Conv2dArgs a;
  a.x = b.input(w.input, {c.batch, c.height, c.width, c.in});
  a.weight = &w;
  a.stride = c.stride;
  a.pad_before = c.before;
  a.pad_after = c.after;
  a.upsample = c.upsample;
  const std::int64_t h = c.out_size(c.height);
  const std::int64_t width = c.out_size(c.width);
  reference::Sums sums = reference::conv2d(
      values_of(a.x), values_of(host, w.compute == Compute::kBF16 && w.stored == DType::kBF16), c);
  Slack slack = b.options().slack(w);
  // A device may add up the taps of an enlarged picture before it rounds them.
  if (c.upsample && slack.relative > 0) slack.products += 0x1p-8;
  Values tolerance;
  for (std::size_t i = 0; i < sums.value.size(); ++i) {
    sums.value[i] += static_cast<double>(host.bias[i % u(c.out)]);
    tolerance.push_back((1e-6 + slack.products) * sums.magnitude[i] + 2e-6 +
                        slack.relative * (std::fabs(sums.value[i]) + 1));
  }
  if (s.alias) {
    a.dst = b.in_place(s.dst, {c.batch, h, width, c.out}, {});
    a.residual = a.dst;
  } else {
    a.dst = b.output(s.dst, {c.batch, h, width, c.out});
    if (s.residual) a.residual = b.input(s.dst, {c.batch, h, width, c.out});
  }
  if (a.residual) {
    const Values r = values_of(a.residual);
    for (std::size_t i = 0; i < r.size(); ++i) sums.value[i] += r[i];
  }
  ops::conv2d(b.ctx(), a);
  b.expect(a.dst, sums.value, tolerance);
}

OpCase row(const ConvSpec& s) {
  const reference::ConvShape& c = s.shape;
  const std::string name = std::to_string(c.height) + "x" + std::to_string(c.width) + " " +
                           std::to_string(c.in) + " to " + std::to_string(c.out) + " k" +
                           std::to_string(c.kernel) + " s" + std::to_string(c.stride) +
                           (c.upsample ? " up " : " ") + name_of(s.compute) + " " +
                           name_of(s.stored);
  return {"conv2d", name, [s](Bench& b) { run_conv(b, s); }};
}

}  // namespace

std::vector<OpCase> conv_cases() {
  using enum Compute;
  constexpr DType f32 = DType::kF32, f16 = DType::kF16, bf16 = DType::kBF16, e4 = DType::kF8E4M3;
  const auto same = [](std::int64_t b, std::int64_t h, std::int64_t w, std::int64_t in,
                       std::int64_t out) {
    return reference::ConvShape{b, h, w, in, out, 3, 1, 1, 1, false};
  };
  std::vector<OpCase> cases;
  cases.push_back(row({.shape = same(1, 7, 9, 5, 6), .compute = kF32, .stored = f32}));
  cases.push_back(
      row({.shape = same(2, 11, 17, 16, 35), .compute = kF32, .stored = f32, .residual = true}));
  cases.push_back(row({.shape = same(2, 5, 33, 3, 8), .compute = kBF16, .stored = f16}));
  cases.push_back(row({.shape = same(1, 4, 300, 7, 3), .compute = kBF16, .stored = bf16}));
  cases.push_back(row({.shape = same(1, 1, 1, 9, 4), .compute = kBF16, .stored = f32}));
  cases.push_back(row({.shape = same(3, 6, 5, 20, 64),
                       .compute = kBF16,
                       .stored = bf16,
                       .dst = bf16,
                       .alias = true}));
  cases.push_back(row({.shape = same(1, 6, 50, 300, 5), .compute = kF32, .stored = f32}));
  for (const ScaleKind scale : {ScaleKind::kNone, ScaleKind::kTensor, ScaleKind::kRow}) {
    cases.push_back(
        row({.shape = same(1, 6, 7, 12, 40), .compute = kW8A16, .stored = e4, .scale = scale}));
    cases.push_back(row({.shape = same(1, 6, 7, 12, 40),
                         .compute = kFP8,
                         .stored = e4,
                         .scale = scale,
                         .alias = true}));
  }
  // Stride two with padding on the far sides only, as the encoder does it.
  cases.push_back(
      row({.shape = {1, 10, 14, 6, 9, 3, 2, 0, 1, false}, .compute = kF32, .stored = f32}));
  cases.push_back(
      row({.shape = {2, 9, 13, 6, 9, 3, 2, 0, 1, false}, .compute = kBF16, .stored = bf16}));
  cases.push_back(
      row({.shape = {1, 9, 13, 6, 9, 3, 2, 1, 1, false}, .compute = kBF16, .stored = bf16}));
  // Nearest upsampling folded in.
  cases.push_back(
      row({.shape = {1, 5, 7, 6, 9, 3, 1, 1, 1, true}, .compute = kF32, .stored = f32}));
  cases.push_back(row({.shape = {2, 8, 19, 20, 34, 3, 1, 1, 1, true},
                       .compute = kBF16,
                       .stored = bf16,
                       .residual = true}));
  cases.push_back(
      row({.shape = {1, 3, 3, 4, 5, 1, 1, 0, 0, true}, .compute = kF32, .stored = f32}));
  // Window of one: linear over pixels, and with a stride.
  cases.push_back(row({.shape = {2, 7, 5, 33, 21, 1, 1, 0, 0, false},
                       .compute = kBF16,
                       .stored = bf16,
                       .residual = true}));
  cases.push_back(
      row({.shape = {1, 7, 5, 16, 16, 1, 2, 0, 0, false}, .compute = kF32, .stored = f32}));
  cases.push_back(row({.shape = {1, 4, 4, 8, 8, 1, 1, 0, 0, false},
                       .compute = kW8A16,
                       .stored = e4,
                       .scale = ScaleKind::kRow,
                       .alias = true}));
  // Whole vectors of channels, for which devices have other paths; more than one tile each way.
  cases.push_back(
      row({.shape = same(1, 18, 17, 72, 40), .compute = kBF16, .stored = bf16, .dst = bf16}));
  cases.push_back(row({.shape = same(2, 3, 17, 64, 136),
                       .compute = kBF16,
                       .stored = bf16,
                       .dst = bf16,
                       .alias = true}));
  cases.push_back(row({.shape = same(1, 19, 5, 136, 3), .compute = kBF16, .stored = bf16}));
  cases.push_back(row({.shape = {1, 9, 17, 72, 24, 3, 1, 1, 1, true},
                       .compute = kBF16,
                       .stored = bf16,
                       .dst = bf16,
                       .residual = true}));
  cases.push_back(row({.shape = {2, 20, 3, 128, 136, 1, 1, 0, 0, false},
                       .compute = kBF16,
                       .stored = bf16,
                       .dst = bf16}));
  // Other windows, as patch embeddings have them.
  cases.push_back(
      row({.shape = {1, 8, 6, 4, 10, 2, 2, 0, 0, false}, .compute = kBF16, .stored = bf16}));
  cases.push_back(
      row({.shape = {1, 9, 8, 3, 10, 5, 1, 2, 2, false}, .compute = kF32, .stored = f32}));
  return cases;
}

}  // namespace octet
