// Attention on Hopper for heads of 64: out = softmax(q k^T * scale) v, BF16 in and out, sums FP32.
//
// q [B, queries, H, 64], k and v [B, keys, H, 64] are views with any strides that are multiples of
// 8 elements, 16-byte aligned; nothing is copied. The results of the first queries and of the rest
// may go to two tensors (the image's and the text's rows of a joint sequence), [B, tokens, H*64]
// with strided rows.
//
// Ownership: none; the caller keeps all memory alive until the stream has passed. Thread-safety:
// both functions are reentrant. Deterministic: a row depends on no other row and on no timing.
// Errors: launch() throws octet::Error(kDevice) when the driver refuses.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

namespace octet::cuda {

/// Strides in elements.
struct AttentionInput {
  const void* data = nullptr;
  std::int64_t batch_stride = 0, token_stride = 0, head_stride = 0;
};
struct AttentionOutput {
  void* data = nullptr;
  std::int64_t tokens = 0;  // queries whose results it takes; 0: unused
  std::int64_t batch_stride = 0, token_stride = 0;
  float* scale = nullptr;    // E4M3 codes instead of BF16: what one is worth
  bool fixed_scale = false;  // it is one number, given; else [B, tokens], and written
};

struct AttentionDesc {
  AttentionInput q, k, v;
  AttentionOutput out[2];       // the first queries, the rest
  const float* norm_q[2] = {};  // [64]: RMS-normalises the queries of each before use, or null
  unsigned* largest = nullptr;  // room for [B], where a scale is written
  std::int64_t batch = 0, heads = 0, keys = 0;
  float scale = 1;
};

/// Whether the kernel can run this on the current device (compute capability 9.0, 64 columns per
/// head are the caller's promise).
[[nodiscard]] bool attention_supports(const AttentionDesc& desc, int compute_capability);

/// Enqueues the kernel; attention_supports() must hold.
void attention_launch(const AttentionDesc& desc, cudaStream_t stream);

}  // namespace octet::cuda
