// Register tile for SSE4.1 (the x86-64-v2 baseline).
#include <immintrin.h>

#include "backend/cpu/isa/kernels.h"

namespace octet::cpu {
namespace {
// clang-format off
#include "backend/cpu/isa/vec_generic.h"
inline V multiply(V a, V b, V c) { return fma(a, b, c); }
#include "backend/cpu/isa/tile.inc.h"
// clang-format on
}  // namespace

void generic_gemm_tile(const GemmTile& tile) { run_tile(tile); }

}  // namespace octet::cpu
