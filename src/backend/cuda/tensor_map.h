// Descriptions of tensors for Hopper's copy engine: dense BF16, boxes of 128 bytes times rows,
// swizzled by 128 bytes, zeros outside.
#pragma once

#include <cuda.h>

#include <cstdint>
#include <vector>

namespace octet::cuda {

struct TensorMapSpec {
  const void* data = nullptr;      // 16-byte aligned
  std::vector<std::int64_t> dims;  // fastest first; dims[0] in multiples of 8
  std::vector<std::int64_t> box;   // box[0] is 64
};

/// Error(kDevice) when the driver lacks the function or refuses the description.
[[nodiscard]] CUtensorMap tensor_map(const TensorMapSpec& spec);

}  // namespace octet::cuda
