#include "backend/cuda/status.h"

#include "base/format.h"
#include "octet/error.h"

namespace octet::cuda {

void check(cudaError_t status, const char* call) {
  if (status == cudaSuccess) return;
  (void)cudaGetLastError();  // clears what can be cleared; sticky errors come again
  if (status == cudaErrorMemoryAllocation) {
    throw Error(Code::kOutOfMemory,
                format("cuda: %s: the device has not enough free memory; use a smaller request, or "
                       "free memory that other programs hold (nvidia-smi shows them)",
                       call));
  }
  throw Error(Code::kDevice, format("cuda: %s: %s (%s)", call, cudaGetErrorString(status),
                                    cudaGetErrorName(status)));
}

void check_pinned(cudaError_t status, std::size_t bytes) {
  if (status != cudaErrorMemoryAllocation) return check(status, "pinning host memory");
  (void)cudaGetLastError();
  throw Error(Code::kOutOfMemory,
              format("cuda: expected %zu MiB of host memory that can be pinned, found less; end "
                     "other programs, raise the limit on locked memory, or use less --offload",
                     (bytes >> 20) + 1));
}

}  // namespace octet::cuda
