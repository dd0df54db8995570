// The largest |v| of each element of a batch. A result of attention is a mean of values, so none is
// larger, and E4M3 codes can be written before their row is known as a whole: on the way out of the
// attention kernel, one head at a time.
//
// That costs no precision: a code has the same relative error from 448 down to 2^-6, and a mean of
// thousands of random values is some 2^6 smaller than the largest of them.
#pragma once

#include <cuda_bf16.h>

#include <algorithm>

#include "backend/cuda/attention/attention.h"
#include "backend/cuda/attention/shared.cuh"
#include "backend/cuda/attention/tensor_map.h"

namespace octet::cuda::attention {

__device__ inline __nv_bfloat162 pair_of(unsigned word) {
  return *reinterpret_cast<const __nv_bfloat162*>(&word);
}

// A thread keeps to its eight columns and walks over tokens.
__global__ void __launch_bounds__(512)
    largest_values(AttentionInput v, int columns, int tokens, unsigned* largest) {
  __shared__ unsigned of_block;
  if (threadIdx.x == 0) of_block = 0;
  __syncthreads();
  const auto* data = static_cast<const __nv_bfloat16*>(v.data) + blockIdx.z * v.batch_stride;
  const int column = static_cast<int>(blockIdx.y * blockDim.x + threadIdx.x) * 8;
  __nv_bfloat162 most = pair_of(0);
  if (column < columns) {
    data += column / kHead * v.head_stride + column % kHead;
#pragma unroll 8
    for (int token = static_cast<int>(blockIdx.x); token < tokens;
         token += static_cast<int>(gridDim.x)) {
      const uint4 w = *reinterpret_cast<const uint4*>(data + token * v.token_stride);
      for (const unsigned word : {w.x, w.y, w.z, w.w}) most = __hmax2(most, __habs2(pair_of(word)));
    }
  }
  const float each = __bfloat162float(__hmax(most.x, most.y));
  const unsigned of_warp = __reduce_max_sync(~0u, __float_as_uint(each));  // none is negative
  if (threadIdx.x % 32 == 0) atomicMax(&of_block, of_warp);
  __syncthreads();
  if (threadIdx.x == 0) atomicMax(largest + blockIdx.z, of_block);
}

inline void launch_largest(const AttentionDesc& d, int processors, cudaStream_t stream) {
  require(
      cudaMemsetAsync(d.largest, 0, static_cast<std::size_t>(d.batch) * sizeof(unsigned), stream),
      "attention: clearing");
  const auto columns = static_cast<unsigned>(d.heads * kHead);
  const unsigned threads = std::min(512u, (columns / 8 + 31) / 32 * 32);
  const unsigned parts = (columns / 8 + threads - 1) / threads;
  const auto batch = static_cast<unsigned>(d.batch);
  const unsigned at_once = static_cast<unsigned>(processors) * (2048 / threads);
  const dim3 blocks(std::max(1u, at_once / (parts * batch)), parts, batch);
  largest_values<<<blocks, threads, 0, stream>>>(d.v, static_cast<int>(columns),
                                                 static_cast<int>(d.keys), d.largest);
  require(cudaGetLastError(), "attention: largest value");
}

}  // namespace octet::cuda::attention
