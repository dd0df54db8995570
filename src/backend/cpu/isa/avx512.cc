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
#include "backend/cpu/isa/pairs.inc.h"
#include "backend/cpu/isa/table.inc.h"
// clang-format on
constexpr Kernels with_pairs(Kernels table, void (*gemm_pairs)(const GemmTile&)) {
  table.pack_row_pairs = &pack_row_pairs;
  table.decode_panel_pairs = &decode_panel_pairs;
  table.gemm_pairs = gemm_pairs;
  return table;
}
constexpr Kernels kTable = with_pairs(make_table("avx512"), nullptr);
constexpr Kernels kPairTable = with_pairs(make_table("avx512bf16"), &avx512bf16_gemm_pairs);
}  // namespace

const Kernels& avx512_kernels() { return kTable; }
const Kernels& avx512bf16_kernels() { return kPairTable; }

}  // namespace octet::cpu
