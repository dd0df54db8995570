// Kernels for AVX-512 F, BW, VL and DQ.
#include <immintrin.h>

#include "backend/cpu/isa/kernels.h"

namespace octet::cpu {
namespace {
void gemm_tile(const GemmTile& tile) { avx512_gemm_tile(tile); }
// The order matters: each file uses the ones before it.
// clang-format off
#include "backend/cpu/isa/vec_avx512.h"
#include "backend/cpu/isa/math.inc.h"
#include "backend/cpu/isa/rows.inc.h"
#include "backend/cpu/isa/gemm.inc.h"
#include "backend/cpu/isa/attention.inc.h"
#include "backend/cpu/isa/table.inc.h"
// clang-format on
constexpr Kernels kTable = make_table("avx512");
}  // namespace

const Kernels& avx512_kernels() { return kTable; }

}  // namespace octet::cpu
