#include "backend/cuda/no_device.h"

#include "base/cuda_needs.h"
#include "base/format.h"

namespace octet::cuda {
namespace {

static_assert(CUDART_VERSION / 1000 == kCudaMajor, "base/cuda_needs.h is of another CUDA");

std::string version(int v) { return format("%d.%d", v / 1000, v % 1000 / 10); }

// The driver's library is too old, or is new enough and does not fit what else is installed.
std::string unfit(const NoDevice& found) {
  if (found.driver < CUDART_VERSION) {
    return format("the driver supports CUDA %s, expected %s or newer; update it",
                  version(found.driver).c_str(), version(CUDART_VERSION).c_str());
  }
  return format(
      "libcuda.so.1 is of CUDA %s, which is new enough, but does not work (%s); install the one of "
      "the driver that is loaded, or take another one's folder out of LD_LIBRARY_PATH",
      version(found.driver).c_str(), cudaGetErrorString(found.status));
}

std::string none_visible(const char* visible) {
  if (visible == nullptr) return "the driver shows no GPU; see nvidia-smi -L";
  return format(
      "no GPU is visible with CUDA_VISIBLE_DEVICES=\"%s\"; take it away, or name what nvidia-smi "
      "-L "
      "lists: the number or UUID of a GPU, the UUID of a MIG slice",
      excerpt(visible).c_str());
}

}  // namespace

std::string reason_of(const NoDevice& found) {
  std::string reason;
  if (found.driver == 0) {
    reason = "no NVIDIA driver is loaded; install one";
  } else {
    switch (found.status) {
      case cudaSuccess:
      case cudaErrorNoDevice:
        reason = none_visible(found.visible);
        break;
      case cudaErrorInsufficientDriver:
      case cudaErrorCallRequiresNewerDriver:
      case cudaErrorStubLibrary:
      case cudaErrorSystemDriverMismatch:
      case cudaErrorCompatNotSupportedOnDevice:
        reason = unfit(found);
        break;
      default:
        reason = format("%s; see nvidia-smi", cudaGetErrorString(found.status));
    }
  }
  return reason + ", or use --device cpu";
}

}  // namespace octet::cuda
