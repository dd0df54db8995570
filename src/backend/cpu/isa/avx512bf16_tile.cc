// Register tile for AVX512-BF16: one lane of an operand is a pair of BF16 numbers, and a step adds
// two products. The rest of that set is plain AVX-512 (avx512.cc).
#include <immintrin.h>

#include "backend/cpu/isa/kernels.h"

namespace octet::cpu {
namespace {
// clang-format off
#include "backend/cpu/isa/vec_avx512.h"
inline V multiply(V a, V b, V c) { 
  return {_mm512_dpbf16_ps(c.v, reinterpret_cast<__m512bh>(a.v), reinterpret_cast<__m512bh>(b.v))};
 }
#include "backend/cpu/isa/tile.inc.h"
// clang-format on
}  // namespace

void avx512bf16_gemm_pairs(const GemmTile& tile) { run_tile(tile); }

}  // namespace octet::cpu
