// Norms.
#include <cmath>

#include "backend/op_case.h"

namespace octet {
namespace {

std::size_t u(std::int64_t i) { return static_cast<std::size_t>(i); }

std::string label(DType x, DType dst, std::int64_t n) {
  return std::string(name_of(x)) + " to " + name_of(dst) + " " + std::to_string(n);
}

// [2, 5, n] of any kind, with rows apart unless FP8.
Activation destination(Bench& b, DType dst, std::int64_t n) {
  if (is_fp8(dst)) return b.fp8_output({2, 5, n}, true);
  return b.output(dst, {2, 5, n}, 3);
}

void compare(Bench& b, const Activation& dst, const Values& wanted) {
  if (is_fp8(dst.data.dtype)) {
    b.expect_fp8(dst, wanted, 2e-5);
  } else {
    b.expect(dst.data, wanted, 2e-6, 1e-5);
  }
}

Values with(Values x, const Values& weight, const Values& bias) {
  for (std::size_t i = 0; i < x.size(); ++i) {
    x[i] = x[i] * weight[i % weight.size()] + (bias.empty() ? 0 : bias[i % bias.size()]);
  }
  return x;
}

OpCase layer(DType in, DType out, std::int64_t n) {
  return {"layer_norm", label(in, out, n), [=](Bench& b) {
            // A mean far from zero shows a variance computed in one pass.
            const Tensor x = b.input(in, {2, 5, n}, {.row_gap = 4, .low = 9, .high = 12});
            const Tensor w = b.input(DType::kF32, {n});
            const Tensor bias = b.input(DType::kF32, {n});
            const Activation dst = destination(b, out, n);
            ops::layer_norm(b.ctx(), {.dst = dst, .x = x, .weight = w, .bias = bias, .eps = 1e-5f});
            compare(
                b, dst,
                with(reference::normalize(values_of(x), n, 1e-5), values_of(w), values_of(bias)));
          }};
}

OpCase rms(DType in, DType out, std::int64_t n) {
  return {"rms_norm", label(in, out, n), [=](Bench& b) {
            const Tensor x = b.input(in, {2, 5, n}, {.row_gap = 4});
            const Tensor w = b.input(DType::kF32, {n});
            const Activation dst = destination(b, out, n);
            ops::rms_norm(b.ctx(), {.dst = dst, .x = x, .weight = w, .eps = 1e-6f});
            compare(b, dst,
                    with(reference::rms_normalize(values_of(x), n, 1e-6), values_of(w), {}));
          }};
}

OpCase heads(DType dtype, std::int64_t n) {
  return {"qk_norm", label(dtype, dtype, n), [=](Bench& b) {
            const Tensor all = b.in_place(dtype, {2, 5, 9, n}, {});
            const Tensor w = b.input(DType::kF32, {n});
            Values wanted = values_of(all);  // only heads 3 to 5 change
            const Tensor x = slice(all, 2, 3, 6);
            const Values normal =
                with(reference::rms_normalize(values_of(x), n, 1e-6), values_of(w), {});
            for (std::size_t i = 0; i < normal.size(); ++i) {
              const std::size_t row = i / u(n);
              wanted[(row / 3 * 9 + 3 + row % 3) * u(n) + i % u(n)] = normal[i];
            }
            ops::qk_norm(b.ctx(), {.x = x, .weight = w, .eps = 1e-6f});
            b.expect(all, wanted, 2e-6, 2e-6);
          }};
}

struct ModulateSpec {
  DType x, value, dst;
  std::int64_t n;
  int branches;
  bool only_update = false;
};

void run_modulate(Bench& b, const ModulateSpec& s) {
  LayerNormModulateArgs a;
  a.x = b.in_place(s.x, {2, 5, s.n}, {.row_gap = 2, .low = -2, .high = 4});
  // Shift, scale and gates are slices of one joint vector per batch row.
  const Tensor vectors = b.input(DType::kF32, {2, 4 * s.n});
  a.shift = slice(vectors, 1, 0, s.n);
  a.scale = slice(vectors, 1, s.n, 2 * s.n);
  a.eps = 1e-6f;
  Values x = values_of(a.x);
  for (int i = 0; i < s.branches; ++i) {
    GatedBranch& branch = a.branches[u(i)];
    branch.value = b.input(s.value, {2, 5, s.n}, {.row_gap = 1});
    branch.gate = slice(vectors, 1, (2 + i) * s.n, (3 + i) * s.n);
    const Values value = values_of(branch.value);
    const Values gate = values_of(branch.gate);
    for (std::size_t j = 0; j < x.size(); ++j) {
      x[j] += gate[j / u(5 * s.n) * u(s.n) + j % u(s.n)] * value[j];
    }
  }
  if (!s.only_update) a.dst = destination(b, s.dst, s.n);
  ops::layer_norm_modulate(b.ctx(), a);
  b.expect(a.x, x, 1e-6, 1e-6);
  if (s.only_update) return;
  Values wanted = reference::normalize(values_of(a.x), s.n, 1e-6);  // of the stream as stored
  const Values shift = values_of(a.shift);
  const Values scale = values_of(a.scale);
  for (std::size_t j = 0; j < wanted.size(); ++j) {
    const std::size_t at = j / u(5 * s.n) * u(s.n) + j % u(s.n);
    wanted[j] = (1 + scale[at]) * wanted[j] + shift[at];
  }
  compare(b, a.dst, wanted);
}

OpCase modulate(const ModulateSpec& s) {
  return {"layer_norm_modulate",
          label(s.x, s.dst, s.n) + " branches " + std::to_string(s.branches) +
              (s.only_update ? " update" : ""),
          [s](Bench& b) { run_modulate(b, s); }};
}

struct GroupSpec {
  std::int64_t batch, height, width, channels, groups;
  DType in = DType::kF32, out = DType::kF32;
  bool silu = false;
  bool alias = false;  // written over x
};

OpCase group(const GroupSpec& s) {
  return {
      "group_norm",
      label(s.in, s.out, s.channels) + " in " + std::to_string(s.groups) + " of " +
          std::to_string(s.height) + "x" + std::to_string(s.width) + (s.silu ? " silu" : "") +
          (s.alias ? " in place" : ""),
      [s](Bench& b) {
        const Bench::Layout values{.row_gap = 0, .low = 3, .high = 7};
        const Tensor x = s.alias
                             ? b.in_place(s.in, {s.batch, s.height, s.width, s.channels}, values)
                             : b.input(s.in, {s.batch, s.height, s.width, s.channels}, values);
        const Tensor w = b.input(DType::kF32, {s.channels});
        const Tensor bias = b.input(DType::kF32, {s.channels});
        const Tensor dst = s.alias ? x : b.output(s.out, {s.batch, s.height, s.width, s.channels});
        // Before it is overwritten.
        const Values normed =
            reference::group_normalize(values_of(x), s.batch, s.channels, s.groups, 1e-6);
        ops::group_norm(b.ctx(), {.dst = dst,
                                  .x = x,
                                  .weight = w,
                                  .bias = bias,
                                  .groups = s.groups,
                                  .eps = 1e-6f,
                                  .silu = s.silu});
        Values wanted = with(normed, values_of(w), values_of(bias));
        if (s.silu)
          wanted = each(wanted, [](double v) { return reference::activate(Act::kSilu, v); });
        b.expect(dst, wanted, 3e-6, 1e-5);
      }};
}

}  // namespace

std::vector<OpCase> norm_cases() {
  constexpr DType f32 = DType::kF32, bf16 = DType::kBF16, e4 = DType::kF8E4M3;
  std::vector<OpCase> cases;
  for (const std::int64_t n : {5, 16, 64, 77, 320, 1000}) {
    cases.push_back(layer(f32, f32, n));
    cases.push_back(rms(f32, bf16, n));
    cases.push_back(modulate({.x = f32, .value = f32, .dst = bf16, .n = n, .branches = 1}));
  }
  for (const DType in : {f32, bf16}) {
    for (const DType out : {f32, bf16, e4}) {
      cases.push_back(layer(in, out, 83));
      cases.push_back(rms(in, out, 83));
      for (const int branches : {0, 1, 2}) {
        cases.push_back(
            modulate({.x = in, .value = in, .dst = out, .n = 83, .branches = branches}));
      }
    }
    cases.push_back(
        modulate({.x = in, .value = f32, .dst = f32, .n = 50, .branches = 2, .only_update = true}));
    for (const std::int64_t n : {8, 64, 72}) cases.push_back(heads(in, n));
  }
  cases.push_back(modulate({.x = bf16, .value = f32, .dst = f32, .n = 41, .branches = 2}));
  for (const std::int64_t n : {256, 11000}) {  // a mask over the latents of a picture
    cases.push_back(
        modulate({.x = f32, .value = f32, .dst = f32, .n = n, .branches = 2, .only_update = true}));
  }
  for (const bool silu : {false, true}) {
    for (const DType out : {f32, bf16}) {
      cases.push_back(group({.batch = 2,
                             .height = 7,
                             .width = 9,
                             .channels = 32,
                             .groups = 8,
                             .in = f32,
                             .out = out,
                             .silu = silu}));
      cases.push_back(group({.batch = 1,
                             .height = 33,
                             .width = 37,
                             .channels = 24,
                             .groups = 3,
                             .in = bf16,
                             .out = out,
                             .silu = silu}));
    }
  }
  cases.push_back(group({.batch = 3, .height = 1, .width = 1, .channels = 64, .groups = 32}));
  cases.push_back(
      group({.batch = 1, .height = 40, .width = 41, .channels = 10, .groups = 2, .silu = true}));
  cases.push_back(group({.batch = 2, .height = 23, .width = 46, .channels = 96, .groups = 32}));
  for (const DType dtype : {f32, bf16}) {
    cases.push_back(group({.batch = 2,
                           .height = 33,
                           .width = 37,
                           .channels = 24,
                           .groups = 3,
                           .in = dtype,
                           .out = dtype,
                           .silu = true,
                           .alias = true}));
    cases.push_back(group({.batch = 1,
                           .height = 40,
                           .width = 41,
                           .channels = 10,
                           .groups = 2,
                           .in = dtype,
                           .out = dtype,
                           .alias = true}));
  }
  return cases;
}

}  // namespace octet
