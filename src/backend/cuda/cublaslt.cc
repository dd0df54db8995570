#include "backend/cuda/cublaslt.h"

#include "base/cuda_needs.h"
#include "base/format.h"
#include "octet/error.h"

namespace octet::cuda {
namespace {

constexpr const char* kRemedy =
    "install CUDA 13's cuBLAS, or name the folder that has it in OCTET_CUDA_LIBS";

}  // namespace

CublasLt::CublasLt() : library({kCublasLtName}, kRemedy) {
  library.get(get_version, "cublasLtGetVersion");
  version = get_version();
  if (version < kOldestCublasLt || version >= kBeyondCublasLt) {
    throw Error(Code::kDevice, format("cuda: %s: expected cuBLASLt 13, found version %zu; %s",
                                      library.path().c_str(), version, kRemedy));
  }
  library.get(create, "cublasLtCreate");
  library.get(destroy, "cublasLtDestroy");
  library.get(status_string, "cublasLtGetStatusString");
  library.get(matmul, "cublasLtMatmul");
  library.get(desc_create, "cublasLtMatmulDescCreate");
  library.get(desc_destroy, "cublasLtMatmulDescDestroy");
  library.get(desc_set, "cublasLtMatmulDescSetAttribute");
  library.get(layout_create, "cublasLtMatrixLayoutCreate");
  library.get(layout_destroy, "cublasLtMatrixLayoutDestroy");
  library.get(layout_set, "cublasLtMatrixLayoutSetAttribute");
  library.get(preference_create, "cublasLtMatmulPreferenceCreate");
  library.get(preference_destroy, "cublasLtMatmulPreferenceDestroy");
  library.get(preference_set, "cublasLtMatmulPreferenceSetAttribute");
  library.get(heuristic, "cublasLtMatmulAlgoGetHeuristic");
  library.get(algo_check, "cublasLtMatmulAlgoCheck");
  check(create(&handle), "cublasLtCreate");
}

CublasLt::~CublasLt() {
  if (handle != nullptr) (void)destroy(handle);
}

void CublasLt::check(cublasStatus_t status, const char* call) const {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  throw Error(status == CUBLAS_STATUS_ALLOC_FAILED ? Code::kOutOfMemory : Code::kDevice,
              format("cuda: %s: %s", call, status_string(status)));
}

}  // namespace octet::cuda
