// Register tile for AVX2, FMA and F16C.
#include <immintrin.h>

#include "backend/cpu/isa/kernels.h"

namespace octet::cpu {
namespace {
// clang-format off
#include "backend/cpu/isa/vec_avx2.h"
inline V multiply(V a, V b, V c) { return fma(a, b, c); }
#include "backend/cpu/isa/tile.inc.h"
// clang-format on
}  // namespace

void avx2_gemm_tile(const GemmTile& tile) { run_tile(tile); }

}  // namespace octet::cpu
