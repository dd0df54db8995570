// Descriptions of tensors for the copy engine (CUtensorMap), and the driver's refusals as errors.
//
// Thread-safety: reentrant. Errors: octet::Error(kDevice) with what the driver said.
#pragma once

#include <cuda.h>
#include <cuda_runtime_api.h>

#include <cstdint>

namespace octet::cuda::attention {

/// Rows of 64 elements: dims (column, head, token, batch), strides of the last three in elements; a
/// copy moves `rows` tokens of one head: BF16 swizzled by 128 bytes, bytes as they are.
struct TensorMapArgs {
  const void* data = nullptr;
  std::int64_t dims[4] = {};
  std::int64_t strides[3] = {};
  int rows = 0;
  bool bytes = false;
};
[[nodiscard]] CUtensorMap tensor_map(const TensorMapArgs& args);

/// Throws unless `status` is success; `what` names the operation.
void require(cudaError_t status, const char* what);

}  // namespace octet::cuda::attention
