// The inner loops of the CPU backend as one table of functions per instruction set.
//
// One source (the .inc.h files here) is compiled once per set, with that set's compiler flags and
// inside an anonymous namespace, so that no function compiled for a newer processor can be picked
// by the linker for the rest of the program. These files therefore call no inline function of a
// shared header and nothing from the standard library.
//
// Unless stated, pointers are to dense FP32 data, n counts elements, no alignment is needed, and
// dst may alias an input. Every reduction has an order that depends on n alone, on all sets.
// Thread-safety: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>

#include "backend/ops.h"

namespace octet::cpu {

/// Rows of A are stored in groups of 16 consecutive k: element (row, k) of a tile of R rows lies at
/// (k/16 * R + row) * 16 + k%16. The last group is filled up with zeros.
inline constexpr std::ptrdiff_t kGroup = 16;
/// Most columns of a weight panel and most rows of a tile on any set: sizes of stack buffers.
inline constexpr int kMaxPanel = 32;
inline constexpr int kMaxTileRows = 14;
/// Keys per step of the attention kernel. Part of the numerical contract: changing it changes bits.
inline constexpr std::ptrdiff_t kKeyBlock = 128;

/// c[rows][columns] (+)= A * B. A is read as `outer` x `inner` segments of `length` consecutive k
/// each; segment (o, i) of row r begins at a + o*outer_step + i*inner_step + r*lda. B is read row
/// after row, ldb apart. columns is a multiple of 16, at most the panel.
struct GemmTile {
  const float* a;
  std::ptrdiff_t lda, outer, outer_step, inner, inner_step, length;
  const float* b;
  std::ptrdiff_t ldb;
  float* c;
  std::ptrdiff_t ldc;
  int rows, columns;
  bool accumulate;  // start from c instead of zero
};

/// What happens to a tile of sums: * row scale * column scale + bias, activation, + residual,
/// conversion. Row r of dst begins row_offsets[r] elements after dst; the same for residual.
struct FinishTile {
  const float* c;
  std::ptrdiff_t ldc;
  int rows, columns;              // columns: those that exist, not padded
  const float* row_scale;         // null: none
  std::ptrdiff_t row_scale_step;  // 0: one scale for all rows
  const float* column_scale;      // null: none; columns padded to 16
  const float* bias;              // null: none; columns padded to 16
  Act act;
  const void* residual;  // null: none; at this tile's first column
  DType residual_dtype;
  const std::int64_t* residual_offsets;
  void* dst;        // at this tile's first column
  DType dst_dtype;  // kF32 or kBF16
  const std::int64_t* dst_offsets;
};

/// One step of attention: kKeyBlock keys for `rows` query rows. Buffers of the running state hold
/// `rows` rows; `head` is the head dimension rounded up to the panel.
struct AttentionStep {
  const float* q;        // tiles of queries, grouped by kGroup over the padded head dimension
  std::ptrdiff_t depth;  // head dimension rounded up to kGroup
  const float* keys;     // panels [kKeyBlock/panel][depth][panel]
  const float* values;   // [kKeyBlock][head]
  std::ptrdiff_t head;
  std::ptrdiff_t rows;
  std::ptrdiff_t valid;  // keys of this block that exist
  float scale;
  const float* bias;  // null or bias of (row 0, first key); rows bias_step apart
  std::ptrdiff_t bias_step;
  std::ptrdiff_t causal_limit;  // row r sees keys [0, causal_limit + r] of this block; large: all
  bool first;
  float *maximum, *sum, *output;  // [rows], [rows][16] (by lane), [rows][head]
};

struct Kernels {
  const char* name;
  int panel;      // columns of a weight panel
  int tile_rows;  // most rows of a GEMM tile

  // Conversion between FP32 and any float dtype.
  void (*to_f32)(DType dtype, const void* src, float* dst, std::size_t n);
  void (*from_f32)(DType dtype, const float* src, void* dst, std::size_t n);
  /// E4M3 codes of x / scale.
  void (*quantize)(const float* x, float scale, std::uint8_t* dst, std::size_t n);
  float (*largest_magnitude)(const float* x, std::size_t n);

  // Pointwise.
  void (*activate)(Act act, const float* x, float* dst, std::size_t n);
  void (*gated_gelu)(const float* gate, const float* up, float* dst, std::size_t n);
  void (*add)(const float* a, const float* b, float* dst, std::size_t n);
  /// dst = a * b + c
  void (*multiply_add)(const float* a, const float* b, const float* c, float* dst, std::size_t n);
  void (*scale_shift)(const float* x, float scale, float shift, float* dst, std::size_t n);
  /// dst = c0 x0 + c1 x1 + c2 x2; terms beyond the first may be null.
  void (*combine)(const float* const* x, const float* coefficients, float* dst, std::size_t n);

  // Norms of one row.
  /// (x-mean)/sqrt(var+eps) * (weight + weight_plus) + bias; weight and bias may be null.
  struct NormRow {
    const float *x, *weight, *bias;
    float weight_plus, eps;
    float* dst;
    std::size_t n;
  };
  void (*layer_norm)(const NormRow& row);
  void (*rms_norm)(const NormRow& row);  // bias and weight_plus unused

  // Group norm: sums over `rows` rows of n channels, of x or of (x - mean)^2.
  void (*channel_sums)(const float* x, std::size_t rows, std::size_t n, const float* mean,
                       float* sums);
  struct Affine {  // dst = (x - mean) * factor + bias per channel, then SiLU if asked
    const float *x, *mean, *factor, *bias;
    std::size_t rows, n;
    bool silu;
    void* dst;
    DType dst_dtype;  // kF32 or kBF16
  };
  void (*affine)(const Affine& a);

  // Matrix products.
  /// One row of n elements into a packed tile: group g at dst + g*step, last group zero-filled.
  void (*pack_row)(DType dtype, const void* src, std::size_t n, float* dst, std::ptrdiff_t step);
  /// Transposes `keys` <= kKeyBlock rows of n elements into panels [kKeyBlock/panel][depth][panel];
  /// rows beyond `keys` and elements beyond n become zero.
  void (*pack_keys)(const float* src, std::ptrdiff_t src_step, std::size_t keys, std::size_t n,
                    std::size_t depth, float* dst);
  /// rows x panel codes to FP32; scales: null or one factor per column.
  void (*decode_panel)(DType dtype, const void* codes, std::size_t rows, const float* scales,
                       float* dst);
  void (*gemm_tile)(const GemmTile& tile);

  // Products of BF16 pairs; gemm_pairs is null where the processor has no such instruction. A unit
  // of an operand is two consecutive k as BF16, the even one in the low half, in place of one FP32
  // number: layouts are those above with half the depth.
  /// Like pack_row, BF16 or E4M3 (exact in BF16) only.
  void (*pack_row_pairs)(DType dtype, const void* src, std::size_t n, float* dst,
                         std::ptrdiff_t step);
  /// Like decode_panel without scales; `rows` is even. BF16 and FP8 only, exact.
  void (*decode_panel_pairs)(DType dtype, const void* codes, std::size_t rows, float* dst);
  void (*gemm_pairs)(const GemmTile& tile);

  void (*finish_tile)(const FinishTile& tile);
  void (*attention_step)(const AttentionStep& step);
  /// Divides the output rows by their sums, after the last step.
  void (*attention_finish)(const AttentionStep& step);
};

const Kernels& generic_kernels();
const Kernels& avx2_kernels();
const Kernels& avx512_kernels();
const Kernels& avx512bf16_kernels();
void generic_gemm_tile(const GemmTile& tile);
void avx2_gemm_tile(const GemmTile& tile);
void avx512_gemm_tile(const GemmTile& tile);
void avx512bf16_gemm_pairs(const GemmTile& tile);

}  // namespace octet::cpu
