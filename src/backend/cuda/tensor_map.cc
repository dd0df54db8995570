#include "backend/cuda/tensor_map.h"

#include <cuda_runtime_api.h>

#include "backend/cuda/status.h"
#include "base/format.h"
#include "octet/error.h"

namespace octet::cuda {
namespace {

// The driver is not linked: the program must start without one.
decltype(&cuTensorMapEncodeTiled) encoder() {
  static const auto function = [] {
    void* address = nullptr;
    cudaDriverEntryPointQueryResult found{};
    check(cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &address, 12000,
                                           cudaEnableDefault, &found),
          "cudaGetDriverEntryPointByVersion");
    if (found != cudaDriverEntryPointSuccess || address == nullptr) {
      throw Error(Code::kDevice, "cuda: the driver lacks cuTensorMapEncodeTiled; update it");
    }
    return reinterpret_cast<decltype(&cuTensorMapEncodeTiled)>(address);
  }();
  return function;
}

}  // namespace

CUtensorMap tensor_map(const TensorMapSpec& spec) {
  CUtensorMap map{};
  std::vector<cuuint64_t> dims(spec.dims.begin(), spec.dims.end());
  const std::vector<cuuint32_t> box(spec.box.begin(), spec.box.end());
  const std::vector<cuuint32_t> step(box.size(), 1);
  std::vector<cuuint64_t> strides;  // bytes, from the second dimension on
  cuuint64_t stride = 2;
  for (std::size_t i = 0; i + 1 < dims.size(); ++i) strides.push_back(stride *= dims[i]);
  const CUresult status =
      encoder()(&map, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, static_cast<cuuint32_t>(dims.size()),
                const_cast<void*>(spec.data), dims.data(), strides.data(), box.data(), step.data(),
                CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
                CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  if (status == CUDA_SUCCESS) return map;
  throw Error(Code::kDevice, format("cuda: cuTensorMapEncodeTiled: error %d", int{status}));
}

}  // namespace octet::cuda
