// What the CUDA backend needs from the machine, for who uses it and for who examines the machine
// in a build without it. A test compares the list with what the backend looks up.
#pragma once

#include <array>
#include <cstddef>

namespace octet::cuda {

inline constexpr int kCudaVersion = 13000;  // of the toolkit: 13.0
inline constexpr int kCudaMajor = kCudaVersion / 1000;
inline constexpr const char* kFirstDriver = "580.65.06";  // Linux, CUDA 13.0

inline constexpr const char* kCublasLtName = "libcublasLt.so.13";
inline constexpr std::size_t kOldestCublasLt = 130000, kBeyondCublasLt = 140000;
inline constexpr std::array kCublasLtFunctions = {
    "cublasLtGetVersion",
    "cublasLtCreate",
    "cublasLtDestroy",
    "cublasLtGetStatusString",
    "cublasLtMatmul",
    "cublasLtMatmulDescCreate",
    "cublasLtMatmulDescDestroy",
    "cublasLtMatmulDescSetAttribute",
    "cublasLtMatrixLayoutCreate",
    "cublasLtMatrixLayoutDestroy",
    "cublasLtMatrixLayoutSetAttribute",
    "cublasLtMatmulPreferenceCreate",
    "cublasLtMatmulPreferenceDestroy",
    "cublasLtMatmulPreferenceSetAttribute",
    "cublasLtMatmulAlgoGetHeuristic",
    "cublasLtMatmulAlgoCheck",
};

}  // namespace octet::cuda
