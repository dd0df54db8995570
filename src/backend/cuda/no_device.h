// Why the CUDA runtime finds no GPU, said so that a user can do something about it: one line with
// what was found and the remedy. Pure: what the runtime and the environment say comes in.
// Thread-safety: reentrant. Errors: none.
#pragma once

#include <cuda_runtime_api.h>

#include <string>

namespace octet::cuda {

struct NoDevice {
  cudaError_t status = cudaSuccess;  // of cudaGetDeviceCount; success: it counted none
  int driver = 0;                    // of cudaDriverGetVersion, 13000 for 13.0; 0: no driver
  const char* visible = nullptr;     // CUDA_VISIBLE_DEVICES; null: not set
};

[[nodiscard]] std::string reason_of(const NoDevice& found);

}  // namespace octet::cuda
