// The functions of cuBLASLt that Octet calls, found at run time.
#pragma once

#include <cublasLt.h>

#include <memory>
#include <string>

#include "base/shared_library.h"

namespace octet::cuda {

struct CublasLt {
  /// Opens the library and creates a handle on the current device. Error(kDevice) when there is
  /// none or its version is not one that Octet was written for.
  CublasLt();
  ~CublasLt();
  CublasLt(const CublasLt&) = delete;
  CublasLt& operator=(const CublasLt&) = delete;

  /// Throws Error(kDevice) with cuBLAS's words.
  void check(cublasStatus_t status, const char* call) const;

  SharedLibrary library;
  decltype(&cublasLtCreate) create;
  decltype(&cublasLtDestroy) destroy;
  decltype(&cublasLtGetVersion) get_version;
  decltype(&cublasLtGetStatusString) status_string;
  decltype(&cublasLtMatmul) matmul;
  decltype(&cublasLtMatmulDescCreate) desc_create;
  decltype(&cublasLtMatmulDescDestroy) desc_destroy;
  decltype(&cublasLtMatmulDescSetAttribute) desc_set;
  decltype(&cublasLtMatrixLayoutCreate) layout_create;
  decltype(&cublasLtMatrixLayoutDestroy) layout_destroy;
  decltype(&cublasLtMatrixLayoutSetAttribute) layout_set;
  decltype(&cublasLtMatmulPreferenceCreate) preference_create;
  decltype(&cublasLtMatmulPreferenceDestroy) preference_destroy;
  decltype(&cublasLtMatmulPreferenceSetAttribute) preference_set;
  decltype(&cublasLtMatmulAlgoGetHeuristic) heuristic;
  decltype(&cublasLtMatmulAlgoCheck) algo_check;
  cublasLtHandle_t handle = nullptr;
  std::size_t version = 0;
};

}  // namespace octet::cuda
