// From CUDA's status codes to octet::Error.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>

namespace octet::cuda {

/// Throws Error(kOutOfMemory) for a failed allocation, else Error(kDevice), with the call's name
/// and CUDA's own words. `call` names what was attempted.
void check(cudaError_t status, const char* call);
/// The same for pinning host memory, where it is the host that has not enough.
void check_pinned(cudaError_t status, std::size_t bytes);

}  // namespace octet::cuda
