// Kernels for SSE4.1 (the x86-64-v2 baseline).
#include <immintrin.h>

#include "backend/cpu/isa/kernels.h"

namespace octet::cpu {
namespace {
void gemm_tile(const GemmTile& tile) { generic_gemm_tile(tile); }
// The order matters: each file uses the ones before it.
// clang-format off
#include "backend/cpu/isa/vec_generic.h"
#include "backend/cpu/isa/math.inc.h"
#include "backend/cpu/isa/rows.inc.h"
#include "backend/cpu/isa/gemm.inc.h"
#include "backend/cpu/isa/attention.inc.h"
#include "backend/cpu/isa/table.inc.h"
// clang-format on
constexpr Kernels kTable = make_table("generic");
}  // namespace

const Kernels& generic_kernels() { return kTable; }

}  // namespace octet::cpu
