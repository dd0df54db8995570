// A libcublasLt.so.13 of VERSION that has all functions that Octet asks for, but for those that
// WITHOUT_MATMUL takes away.
#include <cstddef>

#ifndef VERSION
#define VERSION 130100
#endif

extern "C" {
std::size_t cublasLtGetVersion() { return VERSION; }
int cublasLtCreate(void**) { return 1; }
int cublasLtDestroy(void*) { return 0; }
const char* cublasLtGetStatusString(int) { return "not initialised: this is a stub"; }
#ifndef WITHOUT_MATMUL
int cublasLtMatmul() { return 1; }
#endif
int cublasLtMatmulDescCreate() { return 1; }
int cublasLtMatmulDescDestroy() { return 1; }
int cublasLtMatmulDescSetAttribute() { return 1; }
int cublasLtMatrixLayoutCreate() { return 1; }
int cublasLtMatrixLayoutDestroy() { return 1; }
int cublasLtMatrixLayoutSetAttribute() { return 1; }
int cublasLtMatmulPreferenceCreate() { return 1; }
int cublasLtMatmulPreferenceDestroy() { return 1; }
int cublasLtMatmulPreferenceSetAttribute() { return 1; }
int cublasLtMatmulAlgoGetHeuristic() { return 1; }
int cublasLtMatmulAlgoCheck() { return 1; }
}  // extern "C"
