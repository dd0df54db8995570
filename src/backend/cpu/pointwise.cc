// Pointwise ops: every row on its own.
#include <algorithm>

#include "backend/cpu/cpu_ops.h"
#include "base/check.h"

namespace octet::cpu {
namespace {
std::size_t count(std::int64_t n) { return static_cast<std::size_t>(n); }
}  // namespace

void CpuBackend::quantize_fp8(const QuantizeFp8Args& a) {
  const std::int64_t n = a.src.dim(-1);
  for_rows(a.src.rows(), n, [&](std::int64_t begin, std::int64_t end, int worker) {
    float* in = scratch(worker).floats(Scratch::kRow, n);
    for (std::int64_t r = begin; r < end; ++r) store_row(a.dst, r, row_f32(a.src, r, in));
  });
}

void CpuBackend::activation(const ActivationArgs& a) {
  const std::int64_t n = a.x.dim(-1);
  for_rows(a.x.rows(), n, [&](std::int64_t begin, std::int64_t end, int worker) {
    float* in = scratch(worker).floats(Scratch::kRow, n);
    float* out = scratch(worker).floats(Scratch::kRow2, n);
    for (std::int64_t r = begin; r < end; ++r) {
      const float* x = row_f32(a.x, r, in);
      write_row(a.dst, r, out, [&](float* dst) { kernels_.activate(a.act, x, dst, count(n)); });
    }
  });
}

void CpuBackend::gated_gelu(const GatedGeluArgs& a) {
  const std::int64_t n = a.up.dim(-1);
  for_rows(a.up.rows(), n, [&](std::int64_t begin, std::int64_t end, int worker) {
    float* gate = scratch(worker).floats(Scratch::kRow, n);
    float* up = scratch(worker).floats(Scratch::kExtra, n);
    float* out = scratch(worker).floats(Scratch::kRow2, n);
    for (std::int64_t r = begin; r < end; ++r) {
      const float* g = row_f32(a.gate, r, gate);
      const float* u = row_f32(a.up, r, up);
      write_row(a.dst, r, out, [&](float* dst) { kernels_.gated_gelu(g, u, dst, count(n)); });
    }
  });
}

void CpuBackend::add(const AddArgs& a) {
  const std::int64_t n = a.dst.dim(-1);
  for_rows(a.dst.rows(), n, [&](std::int64_t begin, std::int64_t end, int worker) {
    float* first = scratch(worker).floats(Scratch::kRow, n);
    float* second = scratch(worker).floats(Scratch::kExtra, n);
    float* out = scratch(worker).floats(Scratch::kRow2, n);
    for (std::int64_t r = begin; r < end; ++r) {
      const float* x = row_f32(a.a, r, first);
      const float* y = row_f32(a.b, r, second);
      write_row(a.dst, r, out, [&](float* dst) { kernels_.add(x, y, dst, count(n)); });
    }
  });
}

void CpuBackend::scale_shift(const ScaleShiftArgs& a) {
  const std::int64_t n = a.dst.dim(-1);
  for_rows(a.dst.rows(), n, [&](std::int64_t begin, std::int64_t end, int worker) {
    float* in = scratch(worker).floats(Scratch::kRow, n);
    float* out = scratch(worker).floats(Scratch::kRow2, n);
    for (std::int64_t r = begin; r < end; ++r) {
      const float* x = row_f32(a.x, r, in);
      write_row(a.dst, r, out,
                [&](float* dst) { kernels_.scale_shift(x, a.scale, a.shift, dst, count(n)); });
    }
  });
}

void CpuBackend::linear_combination(const LinearCombinationArgs& a) {
  const std::int64_t batch = a.dst.dim(0);
  const std::int64_t row = batch == 0 ? 0 : a.dst.numel() / batch;
  for (std::int64_t b = 0; b < batch; ++b) {
    const float* x[3] = {};
    float coefficients[3] = {};
    int terms = 0;
    for (const LinearTerm& term : a.terms) {
      if (!term.x) continue;
      x[terms] = term.x.as<const float>() + b * row;
      coefficients[terms] = term.coefficient[count(b)];
      ++terms;
    }
    float* dst = a.dst.as<float>() + b * row;
    if (terms == 0) {
      std::fill_n(dst, row, 0.0f);
    } else {
      kernels_.combine(x, coefficients, dst, count(row));
    }
  }
}

}  // namespace octet::cpu
