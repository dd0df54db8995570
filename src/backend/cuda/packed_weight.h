// A weight as kernels see it: codes [out][window][in] and, in the same allocation, what scales and
// shifts the products. The allocation is device memory, or pinned host memory from which the
// weight ring brings it to the device when an op wants it.
#pragma once

#include <cstdint>
#include <type_traits>

#include "backend/cuda/kernels.h"
#include "backend/weight.h"

namespace octet::cuda {

/// Plain values; the memory belongs to somebody else.
struct WeightParts {
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

  [[nodiscard]] WeightView view() const {
    return {.codes = codes,
            .dtype = stored,
            .out = out,
            .depth = window * in,
            .row_scale = row_scale,
            .block_scale = block_scale,
            .block = block};
  }
  /// The same with everything that lies in an allocation at `from` found at `to` instead.
  [[nodiscard]] WeightParts moved(const void* from, const void* to) const {
    WeightParts p = *this;
    const auto move = [from, to](auto*& pointer) {
      if (pointer == nullptr) return;
      const auto offset = reinterpret_cast<const char*>(pointer) - static_cast<const char*>(from);
      pointer = reinterpret_cast<std::remove_reference_t<decltype(pointer)>>(
          static_cast<const char*>(to) + offset);
    };
    move(p.codes);
    move(p.row_scale);
    move(p.block_scale);
    move(p.bias);
    move(p.bias16);
    return p;
  }
};

struct PackedCudaWeight final : PackedWeight, WeightParts {
  Buffer memory;     // where the parts lie
  int in_ring = -1;  // number in the weight ring; -1: `memory` is on the device

  /// Convolutions of an enlarged picture use sums of their taps, made at the first of them.
  mutable Buffer folded;
};

}  // namespace octet::cuda
