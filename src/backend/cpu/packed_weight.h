// The form in which the CPU backend keeps a weight: panels of `panel` output columns, each [depth]
// rows of k by `panel` codes, so that a GEMM tile reads them in order. depth is in * kernel^2
// rounded up to kGroup; k runs over (ky, kx, input channel), as convolution inputs lie in memory.
// Padding is zero. Codes keep 8 or 16 bits in memory and are decoded panel by panel.
#pragma once

#include <vector>

#include "backend/weight.h"

namespace octet::cpu {

struct PackedCpuWeight : PackedWeight {
  DType stored = DType::kF32;
  std::int64_t out = 0;
  std::int64_t depth = 0;  // padded
  std::int64_t panel = 0;  // columns
  std::int64_t panels = 0;
  Buffer codes;                     // [panels][depth][panel]
  std::vector<float> column_scale;  // [panels*panel] for the sums, or empty
  std::vector<float> bias;          // [panels*panel], or empty
  std::int64_t block = 0;           // 0: no block scales
  std::vector<float> block_scale;   // [ceil(depth/block)][panels*panel], applied while decoding

  [[nodiscard]] const unsigned char* panel_codes(std::int64_t p, std::int64_t k) const {
    const auto at = static_cast<std::size_t>((p * depth + k) * panel) * size_of(stored);
    return static_cast<const unsigned char*>(codes.data()) + at;
  }
};

}  // namespace octet::cpu
