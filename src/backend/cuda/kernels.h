// Launch functions of the CUDA kernels: the border between C++ (g++) and CUDA (nvcc).
//
// Each enqueues on `stream` and returns; the caller looks for launch errors
// (CudaBackend::launched). Shapes, dtypes and layouts are those that ops_checked.h has verified. No
// launch allocates.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "backend/cuda/views.h"
#include "backend/ops.h"

namespace octet::cuda {

// ---- move.cu -----------------------------------------------------------------------------------
void copy(cudaStream_t stream, const View& dst, const View& src);
void fill(cudaStream_t stream, const View& dst, float value);
void to_u8(cudaStream_t stream, std::uint8_t* dst, const View& src, bool truncate);
void add(cudaStream_t stream, const View& dst, const View& a, const View& b);
void scale_shift(cudaStream_t stream, const View& dst, const View& x, float scale, float shift);

/// *word = 1 if one of `count` values is NaN or infinite, else it stays.
void note_not_finite(cudaStream_t stream, unsigned* word, const float* values, std::int64_t count);

/// dst[i] = table[random_index(seed, i)], elements of 1, 2 or 4 bytes (tensor/random_codes.h).
struct RandomFill {
  void* dst;
  const void* table;
  int element;
  std::int64_t count;
  std::uint32_t seed;
};
void random_codes(cudaStream_t stream, const RandomFill& a);

inline constexpr int kMaxCombined = 64;
/// dst[r, i] = sum of c[t][r] * x[t][r, i] for rows of `size` elements; unused x are null.
struct Combination {
  float* dst;
  const float* x[3];
  float c[3][kMaxCombined];
  std::int64_t rows, size;
};
void linear_combination(cudaStream_t stream, const Combination& a);

// ---- embed.cu ----------------------------------------------------------------------------------
void embed_tokens(cudaStream_t stream, const RowView& dst, const std::int32_t* ids,
                  const View& table, const View& positions, std::int64_t tokens);
void timestep_embedding(cudaStream_t stream, const View& dst, const float* timesteps);
/// dims of `latents`: [B, C, H, W].
void patchify(cudaStream_t stream, const View& patches, const View& latents, std::int64_t patch);
void unpatchify(cudaStream_t stream, const View& latents, const View& patches, std::int64_t patch);
void add_position_crop(cudaStream_t stream, const View& x, const View& table, std::int64_t height,
                       std::int64_t width);
void relative_position_bias(cudaStream_t stream, const View& dst, const View& table,
                            std::int64_t max_distance);

// ---- rows.cu: one block per row, the row in registers ------------------------------------------
struct NormRows {
  RowOutput dst;
  RowView x;
  const float* weight;
  const float* bias;  // null for the RMS norm
  float eps;
};
void layer_norm(cudaStream_t stream, const NormRows& a);
void rms_norm(cudaStream_t stream, const NormRows& a);

struct ModulateRows {
  RowOutput dst;  // data null: only the update of x
  RowView x;
  RowView value[2];  // data null: unused
  const float* gate[2];
  const float* shift;
  const float* scale;
  std::int64_t gate_stride[2], shift_stride, scale_stride;  // between batch rows
  std::int64_t tokens;                                      // rows of x per batch row
  float eps;
};
void layer_norm_modulate(cudaStream_t stream, const ModulateRows& a);

/// dst = act(x) (+ residual), rounded or quantised as dst says.
struct PointwiseRows {
  RowOutput dst;
  RowView x;
  RowView residual;  // data null: none
  Act act;
};
void pointwise(cudaStream_t stream, const PointwiseRows& a);

struct GatedRows {
  RowOutput dst;
  RowView gate, up;
};
void gated_gelu(cudaStream_t stream, const GatedRows& a);

/// RMS norm of heads in place. x [B, L, H, D] of any strides with dense heads.
void qk_norm(cudaStream_t stream, const View& x, const float* weight, float eps);

// ---- group_norm.cu -----------------------------------------------------------------------------
struct GroupNorm {
  View dst, x;  // [B, H, W, C] dense
  const float* weight;
  const float* bias;
  std::int64_t groups;
  float eps;
  bool silu;
  float* scratch;  // group_norm_scratch() floats
};
std::int64_t group_norm_scratch(std::int64_t batch, std::int64_t pixels, std::int64_t channels);
void group_norm(cudaStream_t stream, const GroupNorm& a);

// ---- generic.cu: any shape, any alignment, any device; correct before fast ----------------------
/// How a weight lies in memory: [out][window][in] codes.
struct WeightView {
  const void* codes;
  DType dtype;
  std::int64_t out, depth;   // depth = window * in
  const float* row_scale;    // null, or one per output
  const float* block_scale;  // null, or [ceil(out/block), ceil(in/block)]
  std::int64_t block;
};
struct Epilogue {
  RowOutput dst;  // FP32 or BF16
  const float* bias;
  RowView residual;
  Act act;
};
struct GenericLinear {
  RowView x;
  const float* x_scale;  // null, or FP8 scales
  bool x_scale_fixed;
  WeightView weight;
  Epilogue epilogue;
};
void generic_linear(cudaStream_t stream, const GenericLinear& a);

struct ConvShape {
  std::int64_t batch, height, width, in;  // of x, before upsampling
  std::int64_t out_height, out_width;
  std::int64_t kernel, stride, pad;
  bool upsample;
};
struct GenericConv {
  const void* x;
  DType x_dtype;
  ConvShape shape;
  WeightView weight;
  Epilogue epilogue;
};
void generic_conv(cudaStream_t stream, const GenericConv& a);

/// dst [out][window][in] = src [out][in][window] (* scales), in another dtype.
struct PackWeight {
  void* dst;
  DType dst_dtype;
  const void* src;
  DType src_dtype;
  std::int64_t out, in, window;
  const float* row_scale;
  const float* block_scale;
  std::int64_t block;
};
void pack_weight(cudaStream_t stream, const PackWeight& a);

/// dst [rows, depth] BF16 = codes (* scales), for weights that stay FP8 in memory.
void dequantise(cudaStream_t stream, void* dst, const WeightView& w, std::int64_t in,
                bool with_scales);
/// *dst = 1 / *value
void reciprocal(cudaStream_t stream, float* dst, const float* value);
/// dst[i] = *value
void broadcast_scale(cudaStream_t stream, float* dst, const float* value, std::int64_t count);

// ---- generic_attention.cu
// ------------------------------------------------------------------------
struct GenericAttention {
  View q, k, v;       // [B, S, H, D]
  RowView dst;        // [B, Sq, H * D], FP32 or BF16
  const float* bias;  // [H, Sq, Sk] or null
  float scale;
  bool causal;
};
/// False when the device's shared memory does not hold a tile of this head size.
bool generic_attention(cudaStream_t stream, const GenericAttention& a);

/// dst BF16 = softmax(scores FP32 * scale + bias + causal mask) over rows of `keys` elements,
/// `pitch` apart; the gap of dst becomes zero. Row (h, r) of [heads][block] is query first + r, r <
/// rows.
struct SoftmaxRows {
  void* dst;
  const float* scores;
  const float* bias;  // [heads, queries, keys] or null
  std::int64_t heads, block, rows, first, queries, keys, pitch;
  float scale;
  bool causal;
};
void softmax_rows(cudaStream_t stream, const SoftmaxRows& a);

}  // namespace octet::cuda
