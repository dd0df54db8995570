// linear and quantize_fp8.
#include <algorithm>
#include <cmath>

#include "backend/op_case.h"
#include "octet/error.h"

namespace octet {
namespace {

std::size_t u(std::int64_t i) { return static_cast<std::size_t>(i); }

struct LinearSpec {
  std::int64_t rows, in, out;
  Compute compute;
  DType stored;
  ScaleKind scale = ScaleKind::kNone;
  DType dst = DType::kF32;
  Act act = Act::kNone;
  bool bias = true;
  bool residual = false;
  bool alias = false;  // the residual is the output itself
  bool static_input = false;
  float static_output = 0;  // scale of an FP8 dst; 0: dynamic
  std::int64_t gap = 0;     // between rows of x, dst and residual
};

// x in the dtype the weight wants, with its true values.
Activation make_x(Bench& b, const LinearSpec& s, const Weight& w, Values& x) {
  Activation a;
  a.data = b.input(w.input, {1, s.rows, s.in},
                   {.row_gap = s.gap,
                    .low = is_fp8(w.input) ? -448.f : -2.f,
                    .high = is_fp8(w.input) ? 448.f : 2.f});
  x = values_of(a.data);
  if (!is_fp8(w.input)) return a;
  a.scale = s.static_input
                ? b.input(DType::kF32, {}, {.row_gap = 0, .low = 0.001f, .high = 0.01f})
                : b.input(DType::kF32, {1, s.rows}, {.row_gap = 0, .low = 0.001f, .high = 0.01f});
  const Values scales = values_of(a.scale);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] *= scales[s.static_input ? 0 : i / u(s.in)];
  return a;
}

void run_linear(Bench& b, const LinearSpec& s) {
  HostWeight host = b.weight(s.stored, {s.out, s.in}, s.scale, s.bias);
  if (s.static_input) host.input_scale = 0.01f;
  const Weight w = b.backend().prepare(host, s.compute);
  ASSERT_EQ(w.out, s.out);
  ASSERT_EQ(w.in, s.in);
  ASSERT_EQ(w.input_scale.has_value(), s.static_input);
  Values x;
  LinearArgs a;
  a.x = make_x(b, s, w, x);
  a.weight = &w;
  a.act = s.act;

  reference::Sums sums = reference::linear(
      x, values_of(host, w.compute == Compute::kBF16 && w.stored == DType::kBF16), s.in, s.out);
  const Slack slack = b.options().slack(w);
  Values tolerance;
  for (std::size_t i = 0; i < sums.value.size(); ++i) {
    double& y = sums.value[i];
    if (s.bias) y += static_cast<double>(host.bias[i % u(s.out)]);
    tolerance.push_back((1e-6 + slack.products) * sums.magnitude[i] + 2e-6 +
                        slack.relative * (std::fabs(y) + 1));
    y = reference::activate(s.act, y);
  }
  if (s.alias) {
    a.dst = b.in_place(s.dst, {1, s.rows, s.out}, {.row_gap = s.gap});
    a.residual = a.dst.data;
  } else if (is_fp8(s.dst)) {
    a.dst = b.fp8_output({1, s.rows, s.out}, s.static_output == 0, s.static_output);
  } else {
    a.dst = b.output(s.dst, {1, s.rows, s.out}, s.gap);
  }
  if (s.residual && !s.alias) {
    a.residual =
        b.input(is_fp8(s.dst) ? DType::kF32 : s.dst, {1, s.rows, s.out}, {.row_gap = s.gap});
  }
  if (a.residual) {
    const Values r = values_of(a.residual);
    for (std::size_t i = 0; i < r.size(); ++i) sums.value[i] += r[i];
  }
  ops::linear(b.ctx(), a);
  if (is_fp8(s.dst)) {
    b.expect_fp8(a.dst, sums.value, *std::max_element(tolerance.begin(), tolerance.end()));
  } else {
    b.expect(a.dst.data, sums.value, tolerance);
  }
}

std::string describe(const LinearSpec& s) {
  return std::to_string(s.rows) + "x" + std::to_string(s.in) + "x" + std::to_string(s.out) + " " +
         name_of(s.compute) + " " + name_of(s.stored) + " to " + name_of(s.dst);
}

OpCase row(const LinearSpec& s) {
  return {"linear", describe(s), [s](Bench& b) { run_linear(b, s); }};
}

OpCase quantize(DType src_type, bool dynamic, std::int64_t n) {
  return {"quantize_fp8",
          std::string(name_of(src_type)) + (dynamic ? " dynamic " : " static ") + std::to_string(n),
          [=](Bench& b) {
            const Tensor src = b.input(src_type, {2, 7, n}, {.row_gap = 3});
            // The static scale is small enough that some values saturate.
            const Activation dst = b.fp8_output({2, 7, n}, dynamic, 1.5f / 448);
            ops::quantize_fp8(b.ctx(), {.dst = dst, .src = src});
            b.expect_fp8(dst, values_of(src), 0);
          }};
}

// With one row both kinds of scale have one element; only their rank differs.
OpCase quantize_one_row(bool dynamic) {
  return {"quantize_fp8", std::string("one row ") + (dynamic ? "dynamic" : "static"),
          [=](Bench& b) {
            const Tensor src = b.input(DType::kF32, {1, 37});
            const Activation dst = b.fp8_output({1, 37}, dynamic, 1.5f / 448);
            ops::quantize_fp8(b.ctx(), {.dst = dst, .src = src});
            b.expect_fp8(dst, values_of(src), 0);
            const bool kept = *dst.scale.as<float>() == 1.5f / 448;
            EXPECT_EQ(kept, !dynamic) << "a static scale is read, a dynamic one written";
            Activation odd = b.fp8_output({1, 1, 37}, true);
            odd.scale = reshape(odd.scale, {1});
            EXPECT_THROW(ops::quantize_fp8(b.ctx(), {.dst = odd, .src = reshape(src, {1, 1, 37})}),
                         Error);
            odd.scale = reshape(odd.scale, {1, 1});
            ops::quantize_fp8(b.ctx(), {.dst = odd, .src = reshape(src, {1, 1, 37})});
            b.expect_fp8(odd, values_of(src), 0);
          }};
}

OpCase quantize_zero() {
  return {"quantize_fp8", "all zero", [](Bench& b) {
            const Tensor src = b.input(DType::kF32, {3, 17}, {.row_gap = 0, .low = 0, .high = 0});
            const Activation dst = b.fp8_output({3, 17}, true);
            ops::quantize_fp8(b.ctx(), {.dst = dst, .src = src});
            b.expect(dst.data, Values(51, 0.0), 0, 0);
          }};
}

}  // namespace

namespace {

// Sizes that are whole vectors everywhere, for which devices have other paths.
std::vector<OpCase> even_cases() {
  using enum Compute;
  constexpr DType f32 = DType::kF32, bf16 = DType::kBF16, e4 = DType::kF8E4M3, e5 = DType::kF8E5M2;
  std::vector<OpCase> cases;
  for (const Compute compute : {kF32, kBF16, kW8A16, kFP8}) {
    const auto even = [&](LinearSpec s) {
      if (s.rows == 0) s.rows = 70;
      s.in = 160;
      s.out = 96;
      s.compute = compute;
      cases.push_back(row(s));
    };
    for (const DType dst : {f32, bf16, e4}) {
      for (const ScaleKind scale :
           {ScaleKind::kNone, ScaleKind::kTensor, ScaleKind::kRow, ScaleKind::kBlock}) {
        even({.stored = e4, .scale = scale, .dst = dst});
      }
      even({.stored = e5, .scale = ScaleKind::kTensor, .dst = dst});
      even({.stored = e4, .scale = ScaleKind::kRow, .dst = dst, .act = Act::kGeluTanh});
      even({.stored = e4, .scale = ScaleKind::kRow, .dst = dst, .act = Act::kSilu});
      if (is_fp8(dst)) continue;
      even({.stored = e4, .scale = ScaleKind::kTensor, .dst = dst, .bias = false});
      even({.stored = e4, .scale = ScaleKind::kRow, .dst = dst, .residual = true});
      even({.stored = e4, .scale = ScaleKind::kRow, .dst = dst, .alias = true, .gap = 16});
    }
    even({.rows = 1, .stored = e4, .scale = ScaleKind::kRow, .act = Act::kSilu});
    even({.rows = 28, .stored = e4, .scale = ScaleKind::kRow, .act = Act::kSilu});
    if (compute != kFP8) continue;
    // Few rows and a long sum: cuBLASLt proposes no algorithm of its own for scales per row.
    cases.push_back(row({.rows = 33,
                         .in = 9728,
                         .out = 96,
                         .compute = compute,
                         .stored = e4,
                         .scale = ScaleKind::kRow}));
    even({.stored = e4, .scale = ScaleKind::kTensor, .dst = bf16, .static_input = true});
    even({.stored = e4, .scale = ScaleKind::kRow, .dst = bf16, .static_input = true});
    // One scale everywhere: a product may round its result to FP8 itself. Some values saturate.
    for (const ScaleKind scale : {ScaleKind::kTensor, ScaleKind::kRow}) {
      for (const Act act : {Act::kNone, Act::kGeluTanh, Act::kSilu}) {
        for (const bool bias : {true, false}) {
          even({.stored = e4,
                .scale = scale,
                .dst = e4,
                .act = act,
                .bias = bias,
                .static_input = true,
                .static_output = 0.7f});
        }
      }
    }
  }
  return cases;
}

}  // namespace

std::vector<OpCase> linear_cases() {
  using enum Compute;
  constexpr DType f32 = DType::kF32, f16 = DType::kF16, bf16 = DType::kBF16, e4 = DType::kF8E4M3,
                  e5 = DType::kF8E5M2;
  const ScaleKind none = ScaleKind::kNone, tensor = ScaleKind::kTensor, rows = ScaleKind::kRow,
                  block = ScaleKind::kBlock;
  std::vector<OpCase> cases;
  // Sizes around tiles, panels and the cuts along k and rows.
  for (const std::int64_t m : {1, 2, 3, 6, 7, 13, 14, 15, 29, 131}) {
    cases.push_back(row({.rows = m, .in = 37, .out = 71, .compute = kF32, .stored = f32}));
  }
  for (const std::int64_t k : {1, 15, 16, 17, 640, 641, 1300}) {
    cases.push_back(
        row({.rows = 17, .in = k, .out = 33, .compute = kBF16, .stored = bf16, .gap = 5}));
  }
  for (const std::int64_t n : {1, 15, 16, 17, 31, 32, 33, 48, 65}) {
    cases.push_back(
        row({.rows = 5, .in = 29, .out = n, .compute = kBF16, .stored = f16, .gap = 7}));
  }
  cases.push_back(row({.rows = 640, .in = 70, .out = 50, .compute = kF32, .stored = f32}));
  cases.push_back(row({.rows = 401, .in = 1999, .out = 5, .compute = kF32, .stored = f32}));
  // Every stored type under every compute.
  for (const Compute compute : {kF32, kBF16, kW8A16, kFP8}) {
    for (const DType stored : {f32, f16, bf16, e4, e5}) {
      cases.push_back(row({.rows = 19, .in = 53, .out = 43, .compute = compute, .stored = stored}));
    }
    for (const ScaleKind scale : {none, tensor, rows, block}) {
      cases.push_back(
          row({.rows = 19, .in = 83, .out = 61, .compute = compute, .stored = e4, .scale = scale}));
    }
    cases.push_back(
        row({.rows = 5, .in = 700, .out = 41, .compute = compute, .stored = e5, .scale = block}));
  }
  cases.push_back(row({.rows = 21,
                       .in = 53,
                       .out = 43,
                       .compute = kFP8,
                       .stored = e4,
                       .scale = tensor,
                       .static_input = true}));
  cases.push_back(row({.rows = 21,
                       .in = 53,
                       .out = 43,
                       .compute = kFP8,
                       .stored = e4,
                       .scale = rows,
                       .static_input = true}));
  // Epilogues.
  for (const Act act : {Act::kNone, Act::kSilu, Act::kGeluTanh, Act::kGeluErf, Act::kQuickGelu}) {
    for (const DType dst : {f32, bf16, e4}) {
      cases.push_back(row({.rows = 23,
                           .in = 45,
                           .out = 51,
                           .compute = kW8A16,
                           .stored = e4,
                           .scale = rows,
                           .dst = dst,
                           .act = act,
                           .residual = true}));
    }
  }
  cases.push_back(
      row({.rows = 23, .in = 45, .out = 51, .compute = kBF16, .stored = bf16, .bias = false}));
  append(cases, even_cases());
  cases.push_back(row({.rows = 23,
                       .in = 45,
                       .out = 51,
                       .compute = kBF16,
                       .stored = bf16,
                       .residual = true,
                       .gap = 9}));
  cases.push_back(row({.rows = 23,
                       .in = 45,
                       .out = 51,
                       .compute = kBF16,
                       .stored = bf16,
                       .alias = true,
                       .gap = 9}));
  cases.push_back(row({.rows = 23,
                       .in = 1500,
                       .out = 51,
                       .compute = kF32,
                       .stored = f32,
                       .dst = bf16,
                       .alias = true}));
  cases.push_back(row(
      {.rows = 77, .in = 700, .out = 99, .compute = kFP8, .stored = e4, .scale = rows, .dst = e4}));
  for (const DType src : {f32, bf16}) {
    for (const bool dynamic : {true, false}) {
      for (const std::int64_t n : {1, 16, 35, 333}) cases.push_back(quantize(src, dynamic, n));
    }
  }
  cases.push_back(quantize_one_row(true));
  cases.push_back(quantize_one_row(false));
  cases.push_back(quantize_zero());
  return cases;
}

}  // namespace octet
