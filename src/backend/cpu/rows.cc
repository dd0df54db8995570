#include <algorithm>

#include "backend/cpu/cpu_ops.h"

namespace octet::cpu {

void Rows::seek(std::int64_t index) {
  offset_ = 0;
  for (int i = t_.rank - 2; i >= 0; --i) {
    const auto axis = static_cast<std::size_t>(i);
    position_[axis] = index % t_.dims[axis];
    offset_ += position_[axis] * t_.strides[axis];
    index /= t_.dims[axis];
  }
}

void Rows::step() {
  for (int i = t_.rank - 2; i >= 0; --i) {
    const auto axis = static_cast<std::size_t>(i);
    offset_ += t_.strides[axis];
    if (++position_[axis] < t_.dims[axis]) return;
    offset_ -= t_.dims[axis] * t_.strides[axis];
    position_[axis] = 0;
  }
}

void row_offsets(const Tensor& t, std::vector<std::int64_t>& offsets) {
  const std::int64_t rows = t.rows();
  const auto size = static_cast<std::int64_t>(size_of(t.dtype));
  offsets.resize(static_cast<std::size_t>(rows));
  Rows cursor(t);
  for (std::int64_t i = 0; i < rows; ++i) {
    offsets[static_cast<std::size_t>(i)] = (static_cast<char*>(cursor.at(i)) - t.as<char>()) / size;
  }
}

const float* RowReader::at(std::int64_t index) {
  const void* row = rows_.at(index);
  const Tensor& t = rows_.tensor();
  if (t.dtype == DType::kF32) return static_cast<const float*>(row);
  kernels_.to_f32(t.dtype, row, buffer_, static_cast<std::size_t>(t.dim(-1)));
  return buffer_;
}

void RowWriter::store(std::int64_t index, const float* row) {
  constexpr float kTiny = 1e-12f;  // keeps the scale of an all-zero row away from zero
  const Tensor& t = rows_.tensor();
  const auto n = static_cast<std::size_t>(t.dim(-1));
  void* out = rows_.at(index);
  if (!is_fp8(t.dtype)) return kernels_.from_f32(t.dtype, row, out, n);
  auto* scales = scale_.as<float>();
  const bool fixed = scale_.rank == 0;
  if (!fixed) {
    scales[index] = std::max(kernels_.largest_magnitude(row, n), kTiny) / 448.0f;
  }
  kernels_.quantize(row, scales[fixed ? 0 : index], static_cast<std::uint8_t*>(out), n);
}

}  // namespace octet::cpu
