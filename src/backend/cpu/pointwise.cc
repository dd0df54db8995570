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
    RowReader in(kernels_, a.src, scratch(worker).floats(Scratch::kRow, n));
    RowWriter out(kernels_, a.dst, nullptr);
    for (std::int64_t r = begin; r < end; ++r) out.store(r, in.at(r));
  });
}

void CpuBackend::activation(const ActivationArgs& a) {
  const std::int64_t n = a.x.dim(-1);
  for_rows(a.x.rows(), n, [&](std::int64_t begin, std::int64_t end, int worker) {
    RowReader in(kernels_, a.x, scratch(worker).floats(Scratch::kRow, n));
    RowWriter out(kernels_, a.dst, scratch(worker).floats(Scratch::kRow2, n));
    for (std::int64_t r = begin; r < end; ++r) {
      const float* x = in.at(r);
      out.write(r, [&](float* dst) { kernels_.activate(a.act, x, dst, count(n)); });
    }
  });
}

void CpuBackend::gated_gelu(const GatedGeluArgs& a) {
  const std::int64_t n = a.up.dim(-1);
  for_rows(a.up.rows(), n, [&](std::int64_t begin, std::int64_t end, int worker) {
    RowReader gate(kernels_, a.gate, scratch(worker).floats(Scratch::kRow, n));
    RowReader up(kernels_, a.up, scratch(worker).floats(Scratch::kExtra, n));
    RowWriter out(kernels_, a.dst, scratch(worker).floats(Scratch::kRow2, n));
    for (std::int64_t r = begin; r < end; ++r) {
      const float* g = gate.at(r);
      const float* u = up.at(r);
      out.write(r, [&](float* dst) { kernels_.gated_gelu(g, u, dst, count(n)); });
    }
  });
}

void CpuBackend::add(const AddArgs& a) {
  const std::int64_t n = a.dst.dim(-1);
  for_rows(a.dst.rows(), n, [&](std::int64_t begin, std::int64_t end, int worker) {
    RowReader first(kernels_, a.a, scratch(worker).floats(Scratch::kRow, n));
    RowReader second(kernels_, a.b, scratch(worker).floats(Scratch::kExtra, n));
    RowWriter out(kernels_, a.dst, scratch(worker).floats(Scratch::kRow2, n));
    for (std::int64_t r = begin; r < end; ++r) {
      const float* x = first.at(r);
      const float* y = second.at(r);
      out.write(r, [&](float* dst) { kernels_.add(x, y, dst, count(n)); });
    }
  });
}

void CpuBackend::scale_shift(const ScaleShiftArgs& a) {
  const std::int64_t n = a.dst.dim(-1);
  for_rows(a.dst.rows(), n, [&](std::int64_t begin, std::int64_t end, int worker) {
    RowReader in(kernels_, a.x, scratch(worker).floats(Scratch::kRow, n));
    RowWriter out(kernels_, a.dst, scratch(worker).floats(Scratch::kRow2, n));
    for (std::int64_t r = begin; r < end; ++r) {
      const float* x = in.at(r);
      out.write(r, [&](float* dst) { kernels_.scale_shift(x, a.scale, a.shift, dst, count(n)); });
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
