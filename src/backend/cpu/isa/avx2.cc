// Kernels for AVX2, FMA and F16C.
#include <immintrin.h>

#include "backend/cpu/isa/kernels.h"

namespace octet::cpu {
namespace {
void gemm_tile(const GemmTile& tile) { avx2_gemm_tile(tile); }
// The order matters: each file uses the ones before it.
// clang-format off
#include "backend/cpu/isa/vec_avx2.h"
#include "backend/cpu/isa/math.inc.h"
#include "backend/cpu/isa/rows.inc.h"
#include "backend/cpu/isa/gemm.inc.h"
#include "backend/cpu/isa/attention.inc.h"
#include "backend/cpu/isa/table.inc.h"
// clang-format on
constexpr Kernels kTable = make_table("avx2");
}  // namespace

const Kernels& avx2_kernels() { return kTable; }

}  // namespace octet::cpu
