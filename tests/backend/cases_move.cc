// copy, fill and to_u8.
#include <algorithm>
#include <cmath>

#include "backend/op_case.h"

namespace octet {
namespace {

// The nearest value of the format, for exact comparison.
Values rounded(DType dtype, const Values& v) {
  return each(v, [dtype](double x) {
    const auto in = static_cast<float>(x);
    unsigned char code[4];
    float out = 0;
    encode_from_f32(dtype, &in, code, 1);
    decode_to_f32(dtype, code, &out, 1);
    return static_cast<double>(out);
  });
}

OpCase convert(DType from, DType to) {
  return {"copy", std::string(name_of(from)) + " to " + name_of(to), [=](Bench& b) {
            const Tensor src = b.input(from, {3, 37}, {.row_gap = 5, .low = -500, .high = 500});
            const Tensor dst = b.output(to, {3, 37}, 3);
            ops::copy(b.ctx(), {.dst = dst, .src = src});
            b.expect(dst, rounded(to, values_of(src)), 0, 0);
          }};
}

OpCase permuted(DType dtype) {
  return {"copy", std::string("permuted ") + name_of(dtype), [=](Bench& b) {
            const Tensor src = b.input(dtype, {2, 5, 7, 3});
            const Tensor dst = b.output(dtype, {2, 3, 5, 7});
            ops::copy(b.ctx(), {.dst = dst, .src = permute(src, {0, 3, 1, 2})});
            b.expect(dst, values_of(permute(src, {0, 3, 1, 2})), 0, 0);
            const Tensor back = b.output(dtype, {2, 5, 7, 3});
            ops::copy(b.ctx(), {.dst = permute(back, {0, 3, 1, 2}), .src = dst});
            b.expect(back, values_of(src), 0, 0);
          }};
}

OpCase broadcast() {
  return {"copy", "broadcast row", [](Bench& b) {
            const Tensor src = b.input(DType::kF32, {1, 41});
            const Tensor dst = b.output(DType::kBF16, {9, 41}, 2);
            Tensor wide = src;
            wide.dims[0] = 9;
            wide.strides[0] = 0;
            ops::copy(b.ctx(), {.dst = dst, .src = wide});
            b.expect(dst, rounded(DType::kBF16, values_of(wide)), 0, 0);
          }};
}

OpCase filled(DType dtype) {
  return {"fill", name_of(dtype), [=](Bench& b) {
            const Tensor dst = b.output(dtype, {3, 4, 19}, 6);
            ops::fill(b.ctx(), {.dst = dst, .value = -3.14159f});
            b.expect(dst, rounded(dtype, Values(3 * 4 * 19, -3.14159f)), 0, 0);
          }};
}

OpCase to_bytes(DType dtype, Rounding rounding) {
  return {
      "to_u8", std::string(name_of(dtype)) + (rounding == Rounding::kNearest ? " near" : " cut"),
      [=](Bench& b) {
        const Tensor src = b.input(dtype, {1, 67, 61, 3}, {.low = -1.3f, .high = 1.3f});
        const Tensor dst = b.output(DType::kU8, {1, 67, 61, 3});
        ops::to_u8(b.ctx(), {.dst = dst, .src = src, .rounding = rounding});
        const Values exact =
            each(values_of(src), [](double x) { return std::clamp((x + 1) / 2, 0.0, 1.0) * 255; });
        // Where the exact value lies within FP32 rounding of the step, either side is right.
        b.expect(dst,
                 each(exact,
                      [=](double x) {
                        return rounding == Rounding::kNearest ? x : std::max(x - 0.5, 0.0);
                      }),
                 0, 0.5 + 1e-4);
      }};
}

}  // namespace

std::vector<OpCase> move_cases() {
  constexpr DType kFloats[] = {DType::kF32, DType::kF16, DType::kBF16, DType::kF8E4M3,
                               DType::kF8E5M2};
  std::vector<OpCase> cases;
  for (const DType from : kFloats) {
    for (const DType to : kFloats) cases.push_back(convert(from, to));
  }
  for (const DType dtype : {DType::kF32, DType::kBF16, DType::kF8E4M3}) {
    cases.push_back(permuted(dtype));
  }
  cases.push_back(broadcast());
  for (const DType dtype : kFloats) cases.push_back(filled(dtype));
  for (const DType dtype : {DType::kF32, DType::kBF16}) {
    cases.push_back(to_bytes(dtype, Rounding::kNearest));
    cases.push_back(to_bytes(dtype, Rounding::kTruncate));
  }
  return cases;
}

}  // namespace octet
