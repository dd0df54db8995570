#include "backend/cuda/attention/tensor_map.h"

#include "base/format.h"
#include "octet/error.h"

namespace octet::cuda::attention {
namespace {

using Encode = decltype(&cuTensorMapEncodeTiled);

// Taken from the loaded driver, so that the program needs no libcuda to start.
Encode find_encode() {
  void* function = nullptr;
  cudaDriverEntryPointQueryResult found{};
  require(cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &function, 12000,
                                           cudaEnableDefault, &found),
          "cuTensorMapEncodeTiled");
  if (found != cudaDriverEntryPointSuccess || function == nullptr) {
    throw Error(Code::kDevice,
                "attention: expected a driver for CUDA 12.0 or newer (cuTensorMapEncodeTiled), "
                "found an older one; update the NVIDIA driver");
  }
  return reinterpret_cast<Encode>(function);
}

}  // namespace

void require(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  throw Error(Code::kDevice, format("%s: expected success, found %s (%s)", what,
                                    cudaGetErrorName(status), cudaGetErrorString(status)));
}

CUtensorMap tensor_map(const TensorMapArgs& args) {
  static const Encode encode = find_encode();
  const cuuint64_t element = args.bytes ? 1 : 2;
  cuuint64_t dims[4];
  cuuint64_t strides[3];
  for (int i = 0; i < 4; ++i) dims[i] = static_cast<cuuint64_t>(args.dims[i]);
  for (int i = 0; i < 3; ++i) strides[i] = static_cast<cuuint64_t>(args.strides[i]) * element;
  const cuuint32_t box[4] = {static_cast<cuuint32_t>(args.dims[0]), 1,
                             static_cast<cuuint32_t>(args.rows), 1};
  const cuuint32_t steps[4] = {1, 1, 1, 1};
  CUtensorMap map;
  const CUresult status =
      encode(&map, args.bytes ? CU_TENSOR_MAP_DATA_TYPE_UINT8 : CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, 4,
             const_cast<void*>(args.data), dims, strides, box, steps, CU_TENSOR_MAP_INTERLEAVE_NONE,
             args.bytes ? CU_TENSOR_MAP_SWIZZLE_NONE : CU_TENSOR_MAP_SWIZZLE_128B,
             CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  if (status != CUDA_SUCCESS) {
    throw Error(Code::kDevice, format("attention: expected a tensor map, found driver error %d",
                                      static_cast<int>(status)));
  }
  return map;
}

}  // namespace octet::cuda::attention
