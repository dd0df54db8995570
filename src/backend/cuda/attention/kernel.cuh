// The attention kernel for heads of 64 (idea: FlashAttention-3, arXiv 2407.08608).
//
// A block holds kWarpgroups consumer warpgroups with 64 query rows of one head each, and a producer
// warp that streams the head's keys and values through shared memory in blocks of 128. Blocks
// persist and take tiles (head, 64 kWarpgroups rows) in turn.
//
// At 64 columns per head a score costs the tensor cores as many clocks (256 FLOP at 4096 per
// clock) as the special function unit its exponential (16 per clock), so nothing else may take
// time. Hence the softmax below: its reference value m is the row's maximum over the first block
// only, and later scores are not searched. BF16 and FP32 weights 2^(s - m) are as exact at 2^60 as
// at 1, and the row's first weight is 1, so neither rounding nor underflow suffers. A sum of
// weights beyond 2^64 is not trusted: then the block computes its tiles again with a running
// maximum.
#pragma once

#include "backend/cuda/attention/consumer.cuh"
#include "backend/cuda/attention/shared.cuh"
#include "backend/cuda/device/tma.cuh"

namespace octet::cuda::attention {

template <class Config>
__device__ void produce(const Params& p, Shared<Config>& s, Cursors<Config>& at) {
  using namespace device;
  if (threadIdx.x != Config::kConsumers) return;  // one thread asks for all copies
  for (int index = static_cast<int>(blockIdx.x); index < p.tiles;
       index += static_cast<int>(gridDim.x)) {
    const Tile tile = locate(p, index, Config::kRows);
    wait(s.q_empty, at.q.parity ^ 1);
    arrive_expect(s.q_full, sizeof(s.q));
    load_4d(s.q, p.q, {0, tile.head, tile.row, tile.batch}, s.q_full);
    at.q.advance();
    for (int block = p.blocks - 1; block >= 0; --block) {
      const Coordinates from{0, tile.head, block * kBlock, tile.batch};
      const int stage = at.kv.stage;
      wait(s.k_empty[stage], at.kv.parity ^ 1);
      arrive_expect(s.k_full[stage], sizeof(s.k[stage]));
      load_4d(s.k[stage], p.k, from, s.k_full[stage]);
      wait(s.v_empty[stage], at.kv.parity ^ 1);
      arrive_expect(s.v_full[stage], sizeof(s.v[stage]));
      load_4d(s.v[stage], p.v, from, s.v_full[stage]);
      at.kv.advance();
    }
  }
}

template <class Config>
__device__ void set_up(const Params& p, Shared<Config>& s) {
  using namespace device;
  if (threadIdx.x == 0) {
    init(s.q_full, 1);
    init(s.q_empty, Config::kConsumerWarps);
    for (int i = 0; i < Config::kStages; ++i) {
      init(s.k_full[i], 1);
      init(s.v_full[i], 1);
      init(s.k_empty[i], Config::kConsumerWarps);
      init(s.v_empty[i], Config::kConsumerWarps);
    }
    s.overflow = 0;
    fence_init();
    prefetch(p.q);
    prefetch(p.k);
    prefetch(p.v);
  }
  __syncthreads();
}

template <class Config>
__global__ void __launch_bounds__(Config::kThreads, 1)
    attention_kernel(const __grid_constant__ Params p) {
  using namespace device;
  extern __shared__ std::uint8_t memory[];
  // Swizzled tiles need 1024-byte alignment; the launch asks for as much more.
  auto& s = *reinterpret_cast<Shared<Config>*>(memory + (-shared_address(memory) & 1023));
  set_up(p, s);
  // Every thread passes this point between the two passes, also those of the producer's warpgroup
  // that have nothing to do. The barrier counts warps, and of the producer one lane comes back
  // later than the others.
  const auto overflowed = [&] {
    __syncwarp();
    sync_threads(kPassBarrier, Config::kThreads);
    return s.overflow != 0;
  };
  Cursors<Config> at;
  if (threadIdx.x >= Config::kConsumers) {
    give_registers<Config::kProducerRegisters>();
    produce(p, s, at);
    if (overflowed()) produce(p, s, at);
  } else {
    take_registers<Config::kConsumerRegisters>();
    Consumer<Config> consumer(p, s, at);
    consumer.template run<Softmax::kFirstMaximum>();
    if (overflowed()) consumer.template run<Softmax::kRunningMaximum>();
  }
}

}  // namespace octet::cuda::attention
