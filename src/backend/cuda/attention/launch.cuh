// From a description to tensor maps and a launch of one configuration of the kernel.
#pragma once

#include <algorithm>

#include "backend/cuda/attention/attention.h"
#include "backend/cuda/attention/kernel.cuh"
#include "backend/cuda/attention/tensor_map.h"

namespace octet::cuda::attention {

inline std::int64_t queries(const AttentionDesc& d) { return d.out[0].tokens + d.out[1].tokens; }

inline std::int64_t tiles(const AttentionOutput& out, int rows) {
  return (out.tokens + rows - 1) / rows;
}
inline std::int64_t tiles_per_head(const AttentionDesc& d, int rows) {
  return tiles(d.out[0], rows) + tiles(d.out[1], rows);
}

inline CUtensorMap input_map(const AttentionDesc& d, const AttentionInput& in, std::int64_t tokens,
                             int rows) {
  return tensor_map({.data = in.data,
                     .dims = {kHead, d.heads, tokens, d.batch},
                     .strides = {in.head_stride, in.token_stride, in.batch_stride},
                     .rows = rows});
}

inline CUtensorMap output_map(const AttentionDesc& d, const AttentionOutput& out) {
  return tensor_map({.data = out.data,
                     .dims = {kHead, d.heads, out.tokens, d.batch},
                     .strides = {kHead, out.token_stride, out.batch_stride},
                     .rows = kGroupRows,
                     .bytes = out.scale != nullptr});
}

template <class Config>
Params parameters(const AttentionDesc& d) {
  Params p{};
  p.q = input_map(d, d.q, queries(d), Config::kRows);
  p.k = input_map(d, d.k, d.keys, kBlock);
  p.v = input_map(d, d.v, d.keys, kBlock);
  for (int i = 0; i < 2; ++i) {
    if (d.out[i].tokens > 0) p.out[i] = output_map(d, d.out[i]);
    p.norm_q[i] = d.norm_q[i];
    p.scale[i] = d.out[i].scale;
    p.fixed_scale[i] = d.out[i].fixed_scale;
  }
  p.largest = d.largest;
  p.queries = static_cast<int>(queries(d));
  p.keys = static_cast<int>(d.keys);
  p.split = static_cast<int>(d.out[0].tokens);
  p.heads = static_cast<int>(d.heads);
  p.first_tiles = static_cast<int>(tiles(d.out[0], Config::kRows));
  p.tiles_per_head = static_cast<int>(tiles_per_head(d, Config::kRows));
  p.tiles = static_cast<int>(d.batch * d.heads) * p.tiles_per_head;
  p.blocks = (p.keys + kBlock - 1) / kBlock;
  constexpr float kLog2E = 1.44269504088896340736f;
  p.scale_log2 = d.scale * kLog2E;
  return p;
}

template <class Config>
void launch_as(const AttentionDesc& d, int processors, cudaStream_t stream) {
  const Params p = parameters<Config>(d);
  constexpr std::size_t kMemory = sizeof(Shared<Config>) + 1024;  // for alignment
  require(
      cudaFuncSetAttribute(attention_kernel<Config>, cudaFuncAttributeMaxDynamicSharedMemorySize,
                           static_cast<int>(kMemory)),
      "attention: shared memory");
  attention_kernel<Config><<<std::min(p.tiles, processors), Config::kThreads, kMemory, stream>>>(p);
  require(cudaGetLastError(), "attention: launch");
}

}  // namespace octet::cuda::attention
