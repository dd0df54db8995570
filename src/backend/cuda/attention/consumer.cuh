// A consumer warpgroup: 64 query rows against all keys of their head.
//
// Two chunks of 64 keys are in flight. While the exponentials of one are taken, the tensor cores
// compute the scores of the next and add the weighted values of the one before:
//   tensor cores  S1 = Q K1'   O += P0 V0   S2 = Q K2'   O += P1 V1  ...
//   this warp     ..exp S0..       ......exp S1......       ....exp S2...
// Products of a warpgroup finish in the order of issue, so `wgmma_wait<n>` names what may still
// run.
#pragma once

#include <cuda_fp8.h>

#include "backend/cuda/attention/shared.cuh"
#include "backend/cuda/attention/softmax.cuh"
#include "backend/cuda/device.cuh"
#include "backend/cuda/device/tma.cuh"

namespace octet::cuda::attention {

template <class Config>
class Consumer {
 public:
  __device__ Consumer(const Params& p, Shared<Config>& s, Cursors<Config>& at)
      : p_(p),
        s_(s),
        at_(at),
        group_(static_cast<int>(threadIdx.x) / 128),
        keys_(device::operand(s.k)),
        values_(device::operand(s.v)) {}

  template <Softmax kSoftmax>
  __device__ void run() {
    for (int index = static_cast<int>(blockIdx.x); index < p_.tiles;
         index += static_cast<int>(gridDim.x)) {
      const Tile tile = locate(p_, index, Config::kRows);
      device::wait(s_.q_full, at_.q.parity);
      if (tile.row + group_ * kGroupRows >= tile.end) {
        skip();
        continue;
      }
      load_queries();
      if (p_.norm_q[tile.part] != nullptr) normalise_queries(p_.norm_q[tile.part]);
      state_ = {.negative_maximum = {}, .sum = {0, 0}};
#pragma unroll
      for (float& x : o_) x = 0;
      if constexpr (kSoftmax == Softmax::kFirstMaximum) {
        overlapped();
      } else {
        serial();
      }
      finish<kSoftmax>(tile);
    }
    device::wait_stores();  // a second pass overwrites them
  }

 private:
  __device__ void release(device::Barrier& barrier) {
    __syncwarp();
    if (threadIdx.x % 32 == 0) device::arrive(barrier);
  }

  __device__ void load_queries() {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      device::load_fragment(q_[i], device::fragment_address(s_.q, first_row(), 2 * i));
    }
    release(s_.q_empty);
    at_.q.advance();
  }

  // RMS norm of the two rows that this thread shares with its three neighbours (qk_norm's eps).
  __device__ void normalise_queries(const float* weight) {
    float squares[2] = {0, 0};
#pragma unroll
    for (int i = 0; i < 16; ++i) {
      const float2 pair = device::unpack_bf16(q_[i / 4][i % 4]);
      squares[i % 2] += pair.x * pair.x + pair.y * pair.y;
    }
    float factor[2];
#pragma unroll
    for (int r = 0; r < 2; ++r) factor[r] = rsqrtf(row_sum(squares[r]) / kHead + 1e-6f);
#pragma unroll
    for (int i = 0; i < 16; ++i) {
      const int column = i / 4 * 16 + i % 4 / 2 * 8 + static_cast<int>(threadIdx.x) % 4 * 2;
      const float2 w = *reinterpret_cast<const float2*>(weight + column);
      const float2 pair = device::unpack_bf16(q_[i / 4][i % 4]);
      q_[i / 4][i % 4] =
          device::pack_bf16(pair.x * factor[i % 2] * w.x, pair.y * factor[i % 2] * w.y);
    }
  }

  // A group below the last query row only lets the others' data pass.
  __device__ void skip() {
    release(s_.q_empty);
    at_.q.advance();
    for (int block = 0; block < p_.blocks; ++block) {
      device::wait(s_.k_full[at_.kv.stage], at_.kv.parity);
      release(s_.k_empty[at_.kv.stage]);
      device::wait(s_.v_full[at_.kv.stage], at_.kv.parity);
      release(s_.v_empty[at_.kv.stage]);
      at_.kv.advance();
    }
  }

  __device__ void issue_scores(float (&s)[32], int stage, int half) {
    using namespace device;
    const Operand keys = keys_ + (2 * stage + half) * kChunkUnits;
    wgmma_fence();
    multiply<Layout::kDepthInRow>(s, q_[0], keys);
#pragma unroll
    for (int i = 1; i < 4; ++i) {  // 16 columns are 32 bytes of a row; addresses count 16
      multiply_add<Layout::kDepthInRow>(s, q_[i], keys + 2 * i);
    }
    wgmma_commit();
  }

  __device__ void issue_values(int stage, int half) {
    using namespace device;
    const Operand values = values_ + (2 * stage + half) * kChunkUnits;
    wgmma_fence();
#pragma unroll
    for (int i = 0; i < 4; ++i) {  // 16 keys are 2048 bytes
      multiply_add<Layout::kColumnInRow>(o_, weights_ + 4 * i, values + 128 * i);
    }
    wgmma_commit();
  }

  // Keys that exist from this chunk on, of the block visited first.
  __device__ int valid(int half) const {
    return p_.keys - (p_.blocks - 1) * kBlock - half * kChunk;
  }

  __device__ void first_maximum() {
    mask(s0_, valid(0));
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      state_.negative_maximum[r] = -row_maximum(s0_, r) * p_.scale_log2;
    }
  }

  // One block. On entry the scores of its first half are there, and the values of the block before
  // under way. Two things please the assembler, which else gives up on overlap (warnings C7512 and
  // C7514): a wait for scores stands in the same iteration as their product, and there is one copy
  // of this code, so the last block also computes scores that nobody reads.
  __device__ void step(bool first, bool last) {
    const device::Cursor<Config::kStages> here = at_.kv;
    at_.kv.advance();
    const device::Cursor<Config::kStages> next = last ? here : at_.kv;
    issue_scores(s1_, here.stage, 1);
    exponentials<Config::kByPolynomial>(s0_, state_, p_.scale_log2);
    device::wait(s_.v_full[here.stage], here.parity ^ after(state_));
    device::wgmma_wait<1>();
    if (!first) release(s_.v_empty[before_]);
    pack(weights_, s0_);
    issue_values(here.stage, 0);
    device::wait(s_.k_full[next.stage], next.parity);
    issue_scores(s0_, next.stage, 0);
    device::wgmma_wait<2>();
    device::pin(s1_);
    release(s_.k_empty[here.stage]);
    if (first) mask(s1_, valid(1));
    exponentials<Config::kByPolynomial>(s1_, state_, p_.scale_log2);
    device::wait(s_.v_full[here.stage], here.parity ^ after(state_));
    device::wgmma_wait<1>();
    pack(weights_, s1_);
    issue_values(here.stage, 1);
    before_ = here.stage;
    device::wgmma_wait<1>();
    device::pin(s0_);
  }

  __device__ void overlapped() {
    device::wait(s_.k_full[at_.kv.stage], at_.kv.parity);
    issue_scores(s0_, at_.kv.stage, 0);
    device::wgmma_wait<0>();
    device::pin(s0_);
    first_maximum();
#pragma unroll 1
    for (int block = p_.blocks - 1; block >= 0; --block) step(block == p_.blocks - 1, block == 0);
    device::wgmma_wait<0>();
    device::pin(o_);
    release(s_.v_empty[before_]);
  }

  // The plain running softmax, one chunk at a time.
  __device__ void serial() {
    state_.negative_maximum[0] = state_.negative_maximum[1] = INFINITY;
    for (int block = p_.blocks - 1; block >= 0; --block) {
      const int stage = at_.kv.stage;
      device::wait(s_.k_full[stage], at_.kv.parity);
      device::wait(s_.v_full[stage], at_.kv.parity);
      for (int half = 0; half < 2; ++half) {
        const int left = p_.keys - block * kBlock - half * kChunk;
        if (left <= 0) break;
        issue_scores(s0_, stage, half);
        device::wgmma_wait<0>();
        device::pin(s0_);
        mask(s0_, left);
        raise_maximum();
        exponentials<0>(s0_, state_, p_.scale_log2);
        pack(weights_, s0_);
        issue_values(stage, half);
        device::wgmma_wait<0>();
        device::pin(o_);
      }
      release(s_.k_empty[stage]);
      release(s_.v_empty[stage]);
      at_.kv.advance();
    }
  }

  __device__ void raise_maximum() {
    float factor[2];
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      const float most = row_maximum(s0_, r) * p_.scale_log2;
      const float before = state_.negative_maximum[r];
      state_.negative_maximum[r] = fminf(before, -most);
      factor[r] = device::exp2_unit(state_.negative_maximum[r] - before);
      state_.sum[r] *= factor[r];
    }
#pragma unroll
    for (int i = 0; i < 32; ++i) o_[i] *= factor[row_of(i)];
  }

  // Divides by the sums of weights and hands the rows to the copy engine.
  template <Softmax kSoftmax>
  __device__ void finish(const Tile& tile) {
    const float unit = p_.scale[tile.part] != nullptr ? codes_of_one(tile) : 1.0f;
    float factor[2];
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      const float sum = row_sum(state_.sum[r]);
      if (kSoftmax == Softmax::kFirstMaximum && !(sum < 0x1p64f)) s_.overflow = 1;
      factor[r] = unit / sum;
    }
    const bool storing = threadIdx.x % 128 == 0;
    if (storing) device::wait_stores_read();
    device::sync_threads(kGroupBarrier + group_, 128);
    if (p_.scale[tile.part] != nullptr) {
      write_codes(factor);
    } else {
      write_values(factor);
    }
    device::fence_async_proxy();
    device::sync_threads(kGroupBarrier + group_, 128);
    if (storing) {
      const int row = tile.row - tile.begin + group_ * kGroupRows;
      device::store_4d(p_.out[tile.part], {0, tile.head, row, tile.batch},
                       s_.out + group_ * kGroupRows);
      device::commit_stores();
    }
  }

  __device__ void write_values(const float (&factor)[2]) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      std::uint32_t f[4];
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        const float* pair = o_ + 8 * i + 2 * j;
        f[j] = device::pack_bf16(pair[0] * factor[j % 2], pair[1] * factor[j % 2]);
      }
      device::store_fragment(device::fragment_address(s_.out, first_row(), 2 * i), f);
    }
  }

  // E4M3, 64 bytes a row; o_[i] as in mask(), rows 8 apart.
  __device__ void write_codes(const float (&factor)[2]) {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    auto* rows = reinterpret_cast<std::uint8_t*>(s_.out + group_ * kGroupRows) +
                 (first_row() % kGroupRows + lane / 4) * kHead + lane % 4 * 2;
#pragma unroll
    for (int i = 0; i < 16; ++i) {
      const float2 pair = make_float2(o_[2 * i] * factor[i % 2], o_[2 * i + 1] * factor[i % 2]);
      *reinterpret_cast<std::uint16_t*>(rows + i % 2 * 8 * kHead + i / 2 * 8) =
          __nv_cvt_float2_to_fp8x2(pair, __NV_SATFINITE, __NV_E4M3);
    }
  }

  // How many codes are one, and the scale of this tile's rows to where it is asked for.
  __device__ float codes_of_one(const Tile& tile) const {
    float* scale = p_.scale[tile.part];
    if (p_.fixed_scale[tile.part]) return 1.0f / *scale;
    const float worth = fmaxf(__uint_as_float(p_.largest[tile.batch]), kTiny) / kE4M3Largest;
    const int row =
        tile.row - tile.begin + group_ * kGroupRows + static_cast<int>(threadIdx.x) % 128;
    const int tokens = tile.end - tile.begin;
    if (tile.head == 0 && threadIdx.x % 128 < kGroupRows && row < tokens) {
      scale[static_cast<std::int64_t>(tile.batch) * tokens + row] = worth;
    }
    return 1.0f / worth;
  }

  // This warp's first row of the tile.
  __device__ int first_row() const { return static_cast<int>(threadIdx.x) / 32 * 16; }

  const Params& p_;
  Shared<Config>& s_;
  Cursors<Config>& at_;
  int group_;
  device::Operand keys_, values_;  // of stage 0
  int before_ = 0;                 // stage of the block before
  RowState state_;
  std::uint32_t q_[4][4];
  float s0_[32], s1_[32];  // scores, then weights
  std::uint32_t weights_[16];
  float o_[32];
};

}  // namespace octet::cuda::attention
