// Convolution as a matrix product on Hopper's tensor cores: BF16 inputs and weights, FP32 sums.
//
// A tile is 16 x 16 output pixels times kColumns output channels. For every tap of the window and
// every 64 input channels one copy brings the shifted 16 x 16 pixels into shared memory: the copy
// engine fills what lies outside of the picture, or beyond the last channel, with zeros, which is
// all the padding there is. One warp copies ahead; two warpgroups multiply 128 pixels each.
//
// Twofold nearest upsampling needs no larger picture: the output pixels of one parity see a 2 x 2
// window of the small picture with sums of the original weights, so there are four products with
// four taps instead of one with nine on four times the pixels.
#include "backend/cuda/conv_tiles.h"
#include "backend/cuda/device.cuh"
#include "backend/cuda/tensor_core.cuh"

namespace octet::cuda {
namespace {

constexpr int kSide = 16;  // output pixels of a tile, both ways
constexpr int kPixels = kSide * kSide;
constexpr int kDepth = 64;  // channels per step: 128 bytes, the width of the swizzle
constexpr int kStages = 4;
constexpr int kThreads = 3 * 128;
constexpr int kPixelBytes = kPixels * kDepth * 2;
constexpr int kStaging = 64 * 128 * 2;  // BF16 outputs of 64 pixels

template <int kColumns>
struct Shared {
  static constexpr int kWeightBytes = kColumns * kDepth * 2;
  static constexpr int kStage = kPixelBytes + kWeightBytes;
  static constexpr int kBytes = kStages * kStage + 2 * kStaging + 1024 + 256;
};

struct Place {
  int x, y, image, column, phase;
};

__device__ Place place_of(const ConvTiles& p, int tile, int columns) {
  Place t;
  t.column = tile % p.tiles_n * columns;
  tile /= p.tiles_n;
  t.phase = tile % p.phases;
  tile /= p.phases;
  t.x = tile % p.tiles_x * kSide;
  tile /= p.tiles_x;
  t.y = tile % p.tiles_y * kSide;
  t.image = tile / p.tiles_y;
  return t;
}

// Element offset of the output pixel at row `r` of a tile, or -1 outside of the picture.
__device__ std::int64_t pixel_at(const ConvTiles& p, const Place& t, int r) {
  int y = t.y + r / kSide, x = t.x + r % kSide;
  if (y >= p.height || x >= p.width) return -1;
  if (p.phases == 4) {
    y = 2 * y + t.phase / 2;
    x = 2 * x + t.phase % 2;
  }
  const int scale = p.phases == 4 ? 2 : 1;
  return ((std::int64_t{t.image} * p.height * scale + y) * p.width * scale + x) * p.out;
}

template <int kColumns>
__device__ void produce(const CUtensorMap* x_map, const CUtensorMap* w_map, const ConvTiles& p,
                        char* stages, std::uint64_t* full, std::uint64_t* empty) {
  using S = Shared<kColumns>;
  int step = 0;
  for (int tile = static_cast<int>(blockIdx.x); tile < p.tiles;
       tile += static_cast<int>(gridDim.x)) {
    const Place t = place_of(p, tile, kColumns);
    const int shift_x = p.phases == 4 ? t.phase % 2 - 1 : -p.pad;
    const int shift_y = p.phases == 4 ? t.phase / 2 - 1 : -p.pad;
    for (int tap = 0; tap < p.taps; ++tap) {
      const int x = t.x + tap % p.tap_columns + shift_x;
      const int y = t.y + tap / p.tap_columns + shift_y;
      for (int chunk = 0; chunk < p.chunks; ++chunk, ++step) {
        const int stage = step % kStages;
        barrier_wait(&empty[stage], (step / kStages + 1) % 2);
        char* memory = stages + stage * S::kStage;
        barrier_expect(&full[stage], S::kStage);
        copy_tile_4d(memory, x_map, &full[stage], {chunk * kDepth, x, y, t.image});
        copy_tile_3d(memory + kPixelBytes, w_map, &full[stage], chunk * kDepth,
                     t.phase * p.taps + tap, t.column);
      }
    }
  }
}

// Any output type, element by element.
template <int kColumns>
__device__ void store_elements(const ConvTiles& p, const Place& t, int first,
                               const float (&d)[kColumns / 2]) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int row = first + static_cast<int>(threadIdx.x) % 128 / 32 * 16 + lane / 4;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const std::int64_t at = pixel_at(p, t, row + 8 * half);
    if (at < 0) continue;
#pragma unroll
    for (int i = 0; i < kColumns / 8; ++i) {
#pragma unroll
      for (int j = 0; j < 2; ++j) {
        const int column = t.column + i * 8 + lane % 4 * 2 + j;
        if (column >= p.out) continue;
        float v = d[i * 4 + half * 2 + j] + (p.bias != nullptr ? p.bias[column] : 0.0f);
        if (p.residual != nullptr) v += load_one(p.dst_dtype, p.residual, at + column);
        store_one(p.dst_dtype, p.dst, at + column, v);
      }
    }
  }
}

// BF16 through shared memory, so that global accesses are 16 bytes wide. Groups of eight channels
// are exchanged within a row by its number: no two lanes of a store meet in a bank.
template <int kColumns>
__device__ void store_vectors(const ConvTiles& p, const Place& t, int first,
                              const float (&d)[kColumns / 2], char* staging, int group) {
  const int thread = static_cast<int>(threadIdx.x) % 128;
  const int lane = thread % 32;
#pragma unroll
  for (int i = 0; i < kColumns / 8; ++i) {
    const int column = t.column + i * 8 + lane % 4 * 2;
    float b0 = 0, b1 = 0;
    if (p.bias != nullptr && column < p.out) b0 = p.bias[column], b1 = p.bias[column + 1];
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int row = thread / 32 * 16 + lane / 4 + 8 * half;
      const unsigned word = pack_bf16(d[i * 4 + half * 2] + b0, d[i * 4 + half * 2 + 1] + b1);
      *reinterpret_cast<unsigned*>(staging + row * 256 + (i ^ (row & 7)) * 16 + lane % 4 * 4) =
          word;
    }
  }
  asm volatile("bar.sync %0, 128;" ::"r"(group) : "memory");
#pragma unroll
  for (int i = thread; i < 64 * kColumns / 8; i += 128) {
    const int row = i / (kColumns / 8), chunk = i % (kColumns / 8);
    const int column = t.column + chunk * 8;
    const std::int64_t at = pixel_at(p, t, first + row);
    if (at < 0 || column >= p.out) continue;
    uint4 word = *reinterpret_cast<const uint4*>(staging + row * 256 + (chunk ^ (row & 7)) * 16);
    if (p.residual != nullptr) {
      float v[8], r[8];
      load8<__nv_bfloat16>(&word, 0, v);
      load8<__nv_bfloat16>(p.residual, at + column, r);
#pragma unroll
      for (int j = 0; j < 8; ++j) v[j] += r[j];
      store8(DType::kBF16, p.dst, at + column, v);
    } else {
      *reinterpret_cast<uint4*>(static_cast<__nv_bfloat16*>(p.dst) + at + column) = word;
    }
  }
  asm volatile("bar.sync %0, 128;" ::"r"(group) : "memory");
}

template <int kColumns>
__device__ void consume(const ConvTiles& p, char* stages, char* staging, std::uint64_t* full,
                        std::uint64_t* empty, int group) {
  using S = Shared<kColumns>;
  const int steps = p.taps * p.chunks;
  const bool leader = threadIdx.x % 128 == 0;
  int step = 0;
  for (int tile = static_cast<int>(blockIdx.x); tile < p.tiles;
       tile += static_cast<int>(gridDim.x)) {
    float d[2][kColumns / 2];
    for (int i = 0; i < steps; ++i, ++step) {
      const int stage = step % kStages;
      barrier_wait(&full[stage], step / kStages % 2);
      char* memory = stages + stage * S::kStage;
      const std::uint64_t b = operand(memory + kPixelBytes);
      wgmma_begin();
#pragma unroll
      for (int k = 0; k < kDepth / 16; ++k) {
#pragma unroll
        for (int m = 0; m < 2; ++m) {
          const std::uint64_t a = operand(memory + (group * 2 + m) * 64 * kDepth * 2);
          wgmma<kColumns>(d[m], a + 2 * k, b + 2 * k, i > 0 || k > 0);
        }
      }
      wgmma_commit();
      wgmma_wait<1>();  // the step before this one has been read
      if (leader && i > 0) barrier_arrive(&empty[(step - 1) % kStages]);
    }
    wgmma_wait<0>();
    if (leader) barrier_arrive(&empty[(step - 1) % kStages]);
    const Place t = place_of(p, tile, kColumns);
#pragma unroll
    for (int m = 0; m < 2; ++m) {
      const int first = group * 128 + m * 64;
      if (kColumns == 128 && p.vectors) {
        store_vectors<kColumns>(p, t, first, d[m], staging + group * kStaging, group + 1);
      } else {
        store_elements<kColumns>(p, t, first, d[m]);
      }
    }
  }
}

template <int kColumns>
__global__ void __launch_bounds__(kThreads, 1)
    conv(const __grid_constant__ CUtensorMap x_map, const __grid_constant__ CUtensorMap w_map,
         const __grid_constant__ ConvTiles p) {
  extern __shared__ char raw[];
  char* memory = raw + (1024 - shared_address(raw) % 1024) % 1024;
  char* staging = memory + kStages * Shared<kColumns>::kStage;
  auto* full = reinterpret_cast<std::uint64_t*>(staging + 2 * kStaging);
  std::uint64_t* empty = full + kStages;
  if (threadIdx.x == 0) {
    for (int i = 0; i < kStages; ++i) {
      barrier_init(&full[i], 1);
      barrier_init(&empty[i], 2);
    }
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  }
  __syncthreads();
  if (threadIdx.x < 128) {
    fewer_registers<40>();
    if (threadIdx.x == 0) produce<kColumns>(&x_map, &w_map, p, memory, full, empty);
  } else {
    more_registers<232>();
    const int group = static_cast<int>(threadIdx.x) / 128 - 1;
    consume<kColumns>(p, memory, staging, full, empty, group);
  }
}

// dst [out][phase][2 x 2 taps][in]: sums of the taps of src [out][3 x 3][in] that fall on the same
// pixel of the small picture.
__global__ void fold(__nv_bfloat16* dst, const __nv_bfloat16* src, int in, std::int64_t count) {
  const std::int64_t i = blockIdx.x * std::int64_t{blockDim.x} + threadIdx.x;
  if (i >= count) return;
  const auto c = static_cast<int>(i % in);
  const auto tap = static_cast<int>(i / in % 4), phase = static_cast<int>(i / in / 4 % 4);
  const std::int64_t n = i / in / 16;
  // Row 2i + a + k - 1 of the large picture is row i + ((a + k - 1) >> 1) of the small one.
  const auto small = [](int parity, int k) { return ((parity + k - 1) >> 1) - (parity - 1); };
  float sum = 0;
  for (int k = 0; k < 9; ++k) {
    if (small(phase / 2, k / 3) == tap / 2 && small(phase % 2, k % 3) == tap % 2) {
      sum += __bfloat162float(src[(n * 9 + k) * in + c]);
    }
  }
  dst[i] = __float2bfloat16_rn(sum);
}

template <int kColumns>
cudaError_t launch(cudaStream_t stream, const CUtensorMap& x, const CUtensorMap& w,
                   const ConvTiles& p, int processors) {
  constexpr int kBytes = Shared<kColumns>::kBytes;
  const cudaError_t status =
      cudaFuncSetAttribute(conv<kColumns>, cudaFuncAttributeMaxDynamicSharedMemorySize, kBytes);
  if (status != cudaSuccess) return status;
  const int blocks = p.tiles < processors ? p.tiles : processors;
  conv<kColumns><<<static_cast<unsigned>(blocks), kThreads, kBytes, stream>>>(x, w, p);
  return cudaGetLastError();
}

}  // namespace

cudaError_t conv_tiles(cudaStream_t stream, const CUtensorMap& x, const CUtensorMap& w,
                       const ConvTiles& p, int processors) {
  return p.columns == 128 ? launch<128>(stream, x, w, p, processors)
                          : launch<16>(stream, x, w, p, processors);
}

void fold_upsampling(cudaStream_t stream, void* dst, const void* src, std::int64_t out,
                     std::int64_t in) {
  const std::int64_t count = out * 16 * in;
  fold<<<static_cast<unsigned>((count + 255) / 256), 256, 0, stream>>>(
      static_cast<__nv_bfloat16*>(dst), static_cast<const __nv_bfloat16*>(src),
      static_cast<int>(in), count);
}

}  // namespace octet::cuda
