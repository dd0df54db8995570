// group_norm(): partial sums per piece of pixels, merged in double, then one pass that applies
// them.
//
// Sums are of differences from one value of the group, so that a mean far from zero costs no digits
// although the statistics take a single pass. Pieces have a fixed number of pixels: the order of
// additions depends on the picture alone.
#include "backend/cuda/device.cuh"

namespace octet::cuda {
namespace {

constexpr int kThreads = 256;
constexpr std::int64_t kPiecePixels = 256;
constexpr int kAhead = 4;  // loads of a thread under way

std::int64_t pieces_of(std::int64_t pixels) { return (pixels + kPiecePixels - 1) / kPiecePixels; }

struct Shape {
  std::int64_t batch, pixels, channels, groups, pieces;
  __host__ __device__ std::int64_t per_group() const { return channels / groups; }
};

template <typename T, int kWidth>
__device__ __forceinline__ void load(const void* data, std::int64_t at, float (&v)[kWidth]) {
  if constexpr (kWidth == 8) {
    load8<T>(data, at, v);
  } else {
    v[0] = static_cast<float>(static_cast<const T*>(data)[at]);
  }
}

// One block per piece and image; a thread keeps kWidth channels and walks pixels. Columns beyond
// the block's reach are walked again from the start.
template <typename T, int kWidth>
__global__ void partial_sums(const void* x, Shape s, float* partial) {
  extern __shared__ float channel_sums[];  // [channels][2]
  const std::int64_t piece = blockIdx.x, image = blockIdx.y;
  const std::int64_t begin = piece * kPiecePixels;
  const std::int64_t count = s.pixels - begin < kPiecePixels ? s.pixels - begin : kPiecePixels;
  const std::int64_t base = image * s.pixels * s.channels;
  const auto columns = static_cast<int>(s.channels / kWidth);
  const int lanes = columns < kThreads ? columns : kThreads;
  const int walkers = kThreads / lanes;
  __shared__ float shared[kThreads * kWidth * 2];
  const int walker = static_cast<int>(threadIdx.x) / lanes;
  const int lane = static_cast<int>(threadIdx.x) % lanes;
  for (int column = lane; column - lane < columns; column += lanes) {
    float sum[kWidth] = {}, squares[kWidth] = {};
    if (column < columns && walker < walkers) {
      float origin[kWidth];
#pragma unroll
      for (int i = 0; i < kWidth; ++i) {
        const std::int64_t c = std::int64_t{column} * kWidth + i;
        origin[i] =
            static_cast<float>(static_cast<const T*>(x)[base + c / s.per_group() * s.per_group()]);
      }
      for (std::int64_t p = walker; p < count; p += walkers * kAhead) {
        float v[kAhead][kWidth];
#pragma unroll
        for (int k = 0; k < kAhead; ++k) {
          if (p + k * walkers < count) {
            load<T, kWidth>(x, base + (begin + p + k * walkers) * s.channels + column * kWidth,
                            v[k]);
          }
        }
#pragma unroll
        for (int k = 0; k < kAhead; ++k) {
          if (p + k * walkers >= count) continue;
#pragma unroll
          for (int i = 0; i < kWidth; ++i) {
            const float d = v[k][i] - origin[i];
            sum[i] += d;
            squares[i] += d * d;
          }
        }
      }
    }
#pragma unroll
    for (int i = 0; i < kWidth; ++i) {
      shared[(threadIdx.x * kWidth + i) * 2] = sum[i];
      shared[(threadIdx.x * kWidth + i) * 2 + 1] = squares[i];
    }
    __syncthreads();
    const int first = (column - lane) * kWidth * 2;  // of this round's sums
    const int sums = lanes * kWidth * 2;
    for (int i = static_cast<int>(threadIdx.x); i < sums && first + i < columns * kWidth * 2;
         i += kThreads) {
      float total = 0;
      for (int w = 0; w < walkers; ++w) total += shared[w * sums + i];
      channel_sums[first + i] = total;
    }
    __syncthreads();
  }
  const auto width = static_cast<int>(s.per_group());
  for (int g = static_cast<int>(threadIdx.x); g < s.groups; g += kThreads) {
    float sum = 0, squares = 0;
    for (int i = 0; i < width; ++i) {
      sum += channel_sums[(g * width + i) * 2];
      squares += channel_sums[(g * width + i) * 2 + 1];
    }
    float* out = partial + ((image * s.groups + g) * s.pieces + piece) * 2;
    out[0] = sum;
    out[1] = squares;
  }
}

// One block per image and group: mean and factor of every channel into table [B][C][2].
template <typename T>
__global__ void merge(const void* x, Shape s, const float* partial, const float* weight, float eps,
                      float* table) {
  __shared__ double shared[2][kThreads];
  const std::int64_t group = blockIdx.x % s.groups, image = blockIdx.x / s.groups;
  const float* own = partial + blockIdx.x * s.pieces * 2;
  double sum = 0, squares = 0;
  for (std::int64_t p = threadIdx.x; p < s.pieces; p += kThreads) {
    sum += static_cast<double>(own[2 * p]);
    squares += static_cast<double>(own[2 * p + 1]);
  }
  shared[0][threadIdx.x] = sum;
  shared[1][threadIdx.x] = squares;
  for (int half = kThreads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (static_cast<int>(threadIdx.x) >= half) continue;
    for (auto& values : shared) values[threadIdx.x] += values[threadIdx.x + half];
  }
  __syncthreads();
  const double n = static_cast<double>(s.pixels * s.per_group());
  const double offset = shared[0][0] / n;
  const double variance = fmax(shared[1][0] / n - offset * offset, 0.0);
  const double factor = 1.0 / sqrt(variance + static_cast<double>(eps));
  const std::int64_t first = group * s.per_group();
  const auto origin = static_cast<double>(
      static_cast<float>(static_cast<const T*>(x)[image * s.pixels * s.channels + first]));
  for (std::int64_t c = first + threadIdx.x; c < first + s.per_group(); c += kThreads) {
    table[(image * s.channels + c) * 2] = static_cast<float>(origin + offset);
    table[(image * s.channels + c) * 2 + 1] =
        static_cast<float>(factor * static_cast<double>(weight[c]));
  }
}

// A thread keeps its channels' constants and walks the pixels of a piece, four at a time so that
// several loads are under way.
template <typename T, int kWidth>
__global__ void __launch_bounds__(kThreads) apply(GroupNorm a, Shape s, const float* table) {
  const auto columns = static_cast<int>(s.channels / kWidth);
  const int lanes = columns < kThreads ? columns : kThreads;
  const int walkers = kThreads / lanes;
  const int walker = static_cast<int>(threadIdx.x) / lanes;
  if (walker >= walkers) return;
  const std::int64_t begin = blockIdx.x * kPiecePixels, image = blockIdx.y;
  const std::int64_t left = s.pixels - begin;
  const auto count = static_cast<int>(left < kPiecePixels ? left : kPiecePixels);
  const std::int64_t base = (image * s.pixels + begin) * s.channels;
  for (int column = static_cast<int>(threadIdx.x) % lanes; column < columns; column += lanes) {
    const int c = column * kWidth;
    float mean[kWidth], factor[kWidth], bias[kWidth];
#pragma unroll
    for (int k = 0; k < kWidth; ++k) {
      mean[k] = table[(image * s.channels + c + k) * 2];
      factor[k] = table[(image * s.channels + c + k) * 2 + 1];
      bias[k] = a.bias[c + k];
    }
    for (int p = walker; p < count; p += walkers * kAhead) {
      float v[kAhead][kWidth];
#pragma unroll
      for (int i = 0; i < kAhead; ++i) {
        if (p + i * walkers < count) {
          load<T, kWidth>(a.x.data, base + std::int64_t{p + i * walkers} * s.channels + c, v[i]);
        }
      }
#pragma unroll
      for (int i = 0; i < kAhead; ++i) {
        if (p + i * walkers >= count) continue;
        const std::int64_t at = base + std::int64_t{p + i * walkers} * s.channels + c;
#pragma unroll
        for (int k = 0; k < kWidth; ++k) {
          v[i][k] = fmaf(v[i][k] - mean[k], factor[k], bias[k]);
          if (a.silu) v[i][k] *= sigmoid(v[i][k]);
        }
        if constexpr (kWidth == 8) {
          store8(a.dst.dtype, a.dst.data, at, v[i]);
        } else {
          store_one(a.dst.dtype, a.dst.data, at, v[i][0]);
        }
      }
    }
  }
}

template <typename T, int kWidth>
void run(cudaStream_t stream, const GroupNorm& a, const Shape& s) {
  float* table = a.scratch;
  float* partial = a.scratch + s.batch * s.channels * 2;
  const dim3 grid(static_cast<unsigned>(s.pieces), static_cast<unsigned>(s.batch));
  const std::size_t bytes = static_cast<std::size_t>(s.channels) * 2 * sizeof(float);
  partial_sums<T, kWidth><<<grid, kThreads, bytes, stream>>>(a.x.data, s, partial);
  merge<T><<<static_cast<unsigned>(s.batch * s.groups), kThreads, 0, stream>>>(
      a.x.data, s, partial, a.weight, a.eps, table);
  apply<T, kWidth><<<grid, kThreads, 0, stream>>>(a, s, table);
}

bool aligned(const void* p) { return reinterpret_cast<std::uintptr_t>(p) % 16 == 0; }

}  // namespace

std::int64_t group_norm_scratch(std::int64_t batch, std::int64_t pixels, std::int64_t channels) {
  return batch * channels * 2 * (1 + pieces_of(pixels));
}

void group_norm(cudaStream_t stream, const GroupNorm& a) {
  const Shape s{a.x.dims[0], a.x.dims[1] * a.x.dims[2], a.x.dims[3], a.groups,
                pieces_of(a.x.dims[1] * a.x.dims[2])};
  if (s.batch * s.pixels == 0) return;
  const bool wide = s.channels % 8 == 0 && aligned(a.x.data) && aligned(a.dst.data);
  if (a.x.dtype == DType::kBF16) {
    wide ? run<__nv_bfloat16, 8>(stream, a, s) : run<__nv_bfloat16, 1>(stream, a, s);
  } else {
    wide ? run<float, 8>(stream, a, s) : run<float, 1>(stream, a, s);
  }
}

}  // namespace octet::cuda
