// A weight in device memory: codes [out][window][in] and, in the same allocation, what scales and
// shifts the products.
#pragma once

#include <cstdint>

#include "backend/cuda/kernels.h"
#include "backend/weight.h"

namespace octet::cuda {

struct PackedCudaWeight final : PackedWeight {
  Buffer memory;  // owns all that follows
  const void* codes = nullptr;
  DType stored = DType::kF32;
  std::int64_t out = 0, in = 0, window = 1;
  const float* row_scale = nullptr;    // one per output; null when codes are true values
  const float* block_scale = nullptr;  // [ceil(out/block), ceil(in/block)], then row_scale is null
  std::int64_t block = 0;
  float tensor_scale = 1;        // of a per-tensor scale, which row_scale repeats
  bool per_tensor = true;        // one scale, or none, for all codes
  const float* bias = nullptr;   // FP32; null: none
  const void* bias16 = nullptr;  // the same in BF16

  /// Convolutions of an enlarged picture use sums of their taps, made at the first of them.
  mutable Buffer folded;

  [[nodiscard]] WeightView view() const {
    return {.codes = codes,
            .dtype = stored,
            .out = out,
            .depth = window * in,
            .row_scale = row_scale,
            .block_scale = block_scale,
            .block = block};
  }
};

}  // namespace octet::cuda
