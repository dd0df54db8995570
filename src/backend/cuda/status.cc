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

}  // namespace octet::cuda
