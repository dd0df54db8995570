// Pointwise ops.
#include <cmath>

#include "backend/op_case.h"

namespace octet {
namespace {

std::string label(DType a, DType b) { return std::string(name_of(a)) + " to " + name_of(b); }

Activation destination(Bench& b, DType dst, std::int64_t n) {
  if (is_fp8(dst)) return b.fp8_output({2, 3, n}, true);
  return b.output(dst, {2, 3, n}, 5);
}

void compare(Bench& b, const Activation& dst, const Values& wanted) {
  if (is_fp8(dst.data.dtype)) {
    b.expect_fp8(dst, wanted, 1e-5);
  } else {
    b.expect(dst.data, wanted, 2e-6, 1e-7);
  }
}

OpCase act(Act f, DType in, DType out, float range) {
  return {"activation",
          label(in, out) + " act " + std::to_string(static_cast<int>(f)) + " to " +
              std::to_string(range),
          [=](Bench& b) {
            const std::int64_t n = 131;
            const Tensor x = b.input(in, {2, 3, n}, {.row_gap = 7, .low = -range, .high = range});
            const Activation dst = destination(b, out, n);
            ops::activation(b.ctx(), {.dst = dst, .x = x, .act = f});
            compare(b, dst,
                    each(values_of(x), [f](double v) { return reference::activate(f, v); }));
          }};
}

OpCase act_in_place(DType dtype) {
  return {"activation", std::string("in place ") + name_of(dtype), [=](Bench& b) {
            const Tensor x = b.in_place(dtype, {2, 3, 45}, {.row_gap = 7});
            const Values before = values_of(x);
            ops::activation(b.ctx(), {.dst = x, .x = x, .act = Act::kSilu});
            b.expect(x, each(before, [](double v) { return reference::activate(Act::kSilu, v); }),
                     2e-6, 1e-7);
          }};
}

OpCase gated(DType in, DType out) {
  return {"gated_gelu", label(in, out), [=](Bench& b) {
            const std::int64_t n = 75;
            const Tensor both = b.input(in, {2, 3, 2 * n});
            GatedGeluArgs a;
            a.gate = slice(both, 2, 0, n);
            a.up = slice(both, 2, n, 2 * n);
            a.dst = destination(b, out, n);
            ops::gated_gelu(b.ctx(), a);
            Values wanted = values_of(a.gate);
            const Values up = values_of(a.up);
            for (std::size_t i = 0; i < wanted.size(); ++i) {
              wanted[i] = reference::activate(Act::kGeluTanh, wanted[i]) * up[i];
            }
            compare(b, a.dst, wanted);
          }};
}

OpCase sum(DType x, DType y, DType out, int alias) {
  return {"add", label(x, y) + " " + name_of(out) + " alias " + std::to_string(alias),
          [=](Bench& b) {
            AddArgs a;
            a.a = alias == 1 ? b.in_place(x, {3, 5, 29}, {.row_gap = 2}) : b.input(x, {3, 5, 29});
            a.b = alias == 2 ? b.in_place(y, {3, 5, 29}, {.row_gap = 2}) : b.input(y, {3, 5, 29});
            a.dst = alias == 1 ? a.a : alias == 2 ? a.b : b.output(out, {3, 5, 29}, 1);
            Values wanted = values_of(a.a);
            const Values second = values_of(a.b);
            for (std::size_t i = 0; i < wanted.size(); ++i) wanted[i] += second[i];
            ops::add(b.ctx(), a);
            b.expect(a.dst, wanted, 1e-7, 1e-7);
          }};
}

OpCase affine(DType in, DType out, bool alias) {
  return {"scale_shift", label(in, out) + (alias ? " in place" : ""), [=](Bench& b) {
            const Tensor x = alias ? b.in_place(in, {1, 16, 9, 7}, {}) : b.input(in, {1, 16, 9, 7});
            const Tensor dst = alias ? x : b.output(out, {1, 16, 9, 7});
            const Values wanted = each(values_of(x), [](double v) { return v * 1.5305 + 0.0609; });
            ops::scale_shift(b.ctx(), {.dst = dst, .x = x, .scale = 1.5305f, .shift = 0.0609f});
            b.expect(dst, wanted, 1e-6, 1e-6);
          }};
}

OpCase combination(int terms, bool alias) {
  return {"linear_combination", std::to_string(terms) + (alias ? " in place" : ""), [=](Bench& b) {
            LinearCombinationArgs a;
            std::vector<float> coefficients(9);
            for (float& c : coefficients) c = b.uniform(-3, 3);
            Values wanted(3 * 5 * 21, 0.0);
            for (int t = 0; t < terms; ++t) {
              LinearTerm& term = a.terms[static_cast<std::size_t>(t)];
              term.x = alias && t == terms - 1 ? b.in_place(DType::kF32, {3, 5, 21}, {})
                                               : b.input(DType::kF32, {3, 5, 21});
              term.coefficient =
                  std::span<const float>(coefficients).subspan(static_cast<std::size_t>(3 * t), 3);
              const Values x = values_of(term.x);
              for (std::size_t i = 0; i < x.size(); ++i) {
                wanted[i] += static_cast<double>(term.coefficient[i / 105]) * x[i];
              }
            }
            a.dst = alias ? a.terms[static_cast<std::size_t>(terms - 1)].x
                          : b.output(DType::kF32, {3, 5, 21});
            ops::linear_combination(b.ctx(), a);
            b.expect(a.dst, wanted, 1e-6, 2e-6);
          }};
}

}  // namespace

std::vector<OpCase> pointwise_cases() {
  constexpr DType f32 = DType::kF32, bf16 = DType::kBF16, e4 = DType::kF8E4M3;
  std::vector<OpCase> cases;
  for (const Act f : {Act::kNone, Act::kSilu, Act::kGeluTanh, Act::kGeluErf, Act::kQuickGelu}) {
    for (const float range : {0.01f, 4.0f, 100.0f}) cases.push_back(act(f, f32, f32, range));
    for (const DType in : {f32, bf16}) {
      for (const DType out : {bf16, e4}) cases.push_back(act(f, in, out, 3));
    }
  }
  cases.push_back(act_in_place(f32));
  cases.push_back(act_in_place(bf16));
  for (const DType in : {f32, bf16}) {
    for (const DType out : {f32, bf16, e4}) cases.push_back(gated(in, out));
    for (const DType out : {f32, bf16}) {
      cases.push_back(sum(in, f32, out, 0));
      cases.push_back(sum(bf16, in, out, 0));
      cases.push_back(affine(in, out, false));
    }
    cases.push_back(sum(in, f32, in, 1));
    cases.push_back(sum(bf16, in, in, 2));
    cases.push_back(affine(in, in, true));
  }
  for (const int terms : {1, 2, 3}) {
    cases.push_back(combination(terms, false));
    cases.push_back(combination(terms, true));
  }
  return cases;
}

}  // namespace octet
