// Softmax of a warpgroup's scores in registers (layout: wgmma.cuh; a thread has two rows).
#pragma once

#include "backend/cuda/device/fragments.cuh"
#include "backend/cuda/device/wgmma.cuh"

namespace octet::cuda::attention {

enum class Softmax { kFirstMaximum, kRunningMaximum };

/// Row (0 or 1 of this thread) of score i.
__device__ constexpr int row_of(int i) { return i / 2 % 2; }

struct RowState {
  float negative_maximum[2];  // in units of log 2
  float sum[2];               // of this thread's columns
};

/// 2^x by FMA units: nearest integer to the exponent, the rest by a polynomial of relative error
/// 1e-4, which BF16 weights (2^-9) do not see.
__device__ inline float exp2_polynomial(float x) {
  constexpr float kInteger = 12582912.0f;  // 1.5 * 2^23: the sum's low bits are the integer
  x = fmaxf(x, -126.0f);
  const float shifted = x + kInteger;
  const float f = x - (shifted - kInteger);
  float y = fmaf(f, 0.0551716685f, 0.2426111251f);
  y = fmaf(y, f, 0.6932609677f);
  y = fmaf(y, f, 0.9999280572f);
  return __int_as_float(__float_as_int(y) + (__float_as_int(shifted) << 23));
}

/// Sets scores of keys from `valid` on to minus infinity.
__device__ inline void mask(float (&s)[32], int valid) {
  const int column = static_cast<int>(threadIdx.x) % 4 * 2;
#pragma unroll
  for (int i = 0; i < 32; ++i) {
    if (i / 4 * 8 + column + i % 2 >= valid) s[i] = -INFINITY;
  }
}

/// Maximum over the row, shared by the four threads that hold it.
__device__ inline float row_maximum(const float (&s)[32], int row) {
  float most = -INFINITY;
#pragma unroll
  for (int i = 0; i < 32; ++i) {
    if (row_of(i) == row) most = fmaxf(most, s[i]);
  }
  most = fmaxf(most, __shfl_xor_sync(~0u, most, 1));
  return fmaxf(most, __shfl_xor_sync(~0u, most, 2));
}

__device__ inline float row_sum(float sum) {
  sum += __shfl_xor_sync(~0u, sum, 1);
  return sum + __shfl_xor_sync(~0u, sum, 2);
}

/// Scores to weights, adding them to the sums.
template <int kByPolynomial>
__device__ inline void exponentials(float (&s)[32], RowState& state, float scale_log2) {
#pragma unroll
  for (int i = 0; i < 32; ++i) {
    const float x = fmaf(s[i], scale_log2, state.negative_maximum[row_of(i)]);
    // Spread over the row so that both units always have work.
    const bool polynomial = (i * 5 % 8) < kByPolynomial;
    s[i] = polynomial ? exp2_polynomial(x) : device::exp2_unit(x);
    state.sum[row_of(i)] += s[i];
  }
  device::pin(s);  // all of it happens before the wait that follows
}

/// 0, known only when all exponentials of a chunk have been taken.
__device__ inline std::uint32_t after(const RowState& state) {
  return state.sum[0] < 0 || state.sum[1] < 0 ? 1 : 0;
}

/// Weights as the BF16 left operands of the next product.
__device__ inline void pack(std::uint32_t (&p)[16], const float (&s)[32]) {
#pragma unroll
  for (int i = 0; i < 16; ++i) p[i] = device::pack_bf16(s[2 * i], s[2 * i + 1]);
}

}  // namespace octet::cuda::attention
