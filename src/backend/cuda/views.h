// Plain descriptions of tensors that kernels take by value, and how host code makes them.
//
// Kernels never see octet::Tensor: these structs have C arrays and no member functions on the host
// side of the standard library, so that .cu files compile without the model headers.
#pragma once

#include <cstdint>

#include "tensor/dtype.h"

namespace octet::cuda {

/// Any view, padded in front to four dimensions; strides in elements.
struct View {
  void* data = nullptr;
  DType dtype = DType::kF32;
  std::int64_t dims[4] = {1, 1, 1, 1};
  std::int64_t strides[4] = {0, 0, 0, 0};
};

/// Rows of a view whose last dimension is dense: row r starts at
/// (r / inner) * outer_stride + (r % inner) * inner_stride, in elements.
/// Views whose leading dimensions need three strides are refused by rows_of().
struct RowView {
  void* data = nullptr;
  DType dtype = DType::kF32;
  std::int64_t rows = 0, columns = 0;
  std::int64_t inner = 1;
  std::int64_t outer_stride = 0, inner_stride = 0;
};

/// Where a row program writes: rows of FP32 or BF16, or of FP8 codes with their scales.
struct RowOutput {
  RowView rows;
  float* scale = nullptr;    // FP8 only
  bool fixed_scale = false;  // one scale, read; else one per row, written
};

}  // namespace octet::cuda
