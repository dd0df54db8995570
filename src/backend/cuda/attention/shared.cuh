// What the roles of the attention kernel share: parameters, tiles, memory.
#pragma once

#include <cuda.h>
#include <cuda_bf16.h>

#include <cstdint>

#include "backend/cuda/device/mbarrier.cuh"

namespace octet::cuda::attention {

constexpr int kHead = 64;                             // columns of a head
constexpr int kChunk = 64;                            // keys of one product
constexpr int kBlock = 2 * kChunk;                    // keys of one stage
constexpr int kChunkUnits = kChunk * kHead * 2 / 16;  // of 16 bytes
constexpr int kGroupRows = 64;                        // query rows of a warpgroup
constexpr int kPassBarrier = 1;   // named barriers: all consumers and the producer;
constexpr int kGroupBarrier = 2;  // and from here one per warpgroup

/// Maps describe (head column, head, token, batch).
struct Params {
  CUtensorMap q, k, v;
  CUtensorMap out[2];  // rows before `split` and from there on
  const float* norm_q[2];
  float* scale[2];  // of E4M3 results, else null
  bool fixed_scale[2];
  const unsigned* largest;  // bits of max |v| of each element of the batch
  int queries, keys, split;
  int heads, first_tiles, tiles_per_head, tiles;
  int blocks;        // of keys
  float scale_log2;  // of scores, in units of log 2
};

template <int kWarpgroups_, int kStages_, int kByPolynomial_>
struct Config {
  static constexpr int kWarpgroups = kWarpgroups_;
  static constexpr int kStages = kStages_;
  static constexpr int kByPolynomial = kByPolynomial_;  // exponentials of 8, the rest by the unit
  static constexpr int kRows = kWarpgroups * kGroupRows;
  static constexpr int kConsumers = kWarpgroups * 128;
  static constexpr int kConsumerWarps = kWarpgroups * 4;
  static constexpr int kThreads = kConsumers + 128;  // registers are dealt out by warpgroup
  static constexpr int kConsumerRegisters = kWarpgroups == 3 ? 160 : 240;
  static constexpr int kProducerRegisters = kWarpgroups == 3 ? 32 : 24;
};

using Row = __nv_bfloat16[kHead];

template <class Config>
struct alignas(1024) Shared {
  Row q[Config::kRows];
  Row out[Config::kRows];
  Row k[Config::kStages][kBlock];
  Row v[Config::kStages][kBlock];
  device::Barrier q_full, q_empty;
  device::Barrier k_full[Config::kStages], k_empty[Config::kStages];
  device::Barrier v_full[Config::kStages], v_empty[Config::kStages];
  int overflow;
};

template <class Config>
struct Cursors {
  device::Cursor<1> q;
  device::Cursor<Config::kStages> kv;
};

/// Some query rows of one head, all of one output.
struct Tile {
  int batch, head, row;
  int part;        // which output
  int begin, end;  // its queries
};

/// Tiles of a head follow each other, so that blocks at work share keys and values in the L2 cache.
/// The second output's tiles start with its first query, so none belongs to both.
__device__ inline Tile locate(const Params& p, int index, int rows) {
  const int head = index / p.tiles_per_head;
  const int tile = index % p.tiles_per_head;
  const bool rest = tile >= p.first_tiles;
  return {.batch = head / p.heads,
          .head = head % p.heads,
          .row = rest ? p.split + (tile - p.first_tiles) * rows : tile * rows,
          .part = rest ? 1 : 0,
          .begin = rest ? p.split : 0,
          .end = rest ? p.queries : p.split};
}

}  // namespace octet::cuda::attention
