// Products without any condition on shapes or alignment, on any device: what the tuned paths fall
// back to. FP32 multiply-adds over 64 x 64 tiles; the operands are converted on the way into shared
// memory.
#include "backend/cuda/device.cuh"

namespace octet::cuda {
namespace {

constexpr int kTile = 64;   // rows and columns of a block
constexpr int kDepth = 16;  // k per step
constexpr int kThreads = 256;

// x[row, k] of a linear layer.
struct LinearSource {
  RowView x;
  __device__ float operator()(std::int64_t row, int k) const {
    return load_one(x.dtype, x.data, row_start(x, row) + k);
  }
};

// The element of the window of output pixel `row` at depth k = tap * in + channel.
struct WindowSource {
  const void* x;
  DType dtype;
  ConvShape s;
  __device__ float operator()(std::int64_t row, int k) const {
    const auto in = static_cast<int>(s.in);
    const int tap = k / in;
    const int window = static_cast<int>(s.kernel);
    const std::int64_t ox = row % s.out_width;
    const std::int64_t oy = row / s.out_width % s.out_height;
    const std::int64_t b = row / s.out_width / s.out_height;
    std::int64_t y = oy * s.stride + tap / window - s.pad;
    std::int64_t col = ox * s.stride + tap % window - s.pad;
    const std::int64_t factor = s.upsample ? 2 : 1;
    if (y < 0 || col < 0 || y >= s.height * factor || col >= s.width * factor) return 0;
    y /= factor;
    col /= factor;
    return load_one(dtype, x, ((b * s.height + y) * s.width + col) * in + k % in);
  }
};

__device__ float weight_at(const WeightView& w, int in, std::int64_t n, int k) {
  float v = load_one(w.dtype, w.codes, n * w.depth + k);
  if (w.block_scale != nullptr) {
    const std::int64_t columns = (in + w.block - 1) / w.block;
    v *= w.block_scale[n / w.block * columns + k % in / w.block];
  }
  return v;
}

struct Scales {
  const float* x;
  bool fixed;
};

template <typename Source>
__global__ void __launch_bounds__(kThreads)
    product(Source source, Scales x_scale, WeightView w, int in, Epilogue e) {
  __shared__ float a[kDepth][kTile + 4];
  __shared__ float b[kDepth][kTile + 4];
  const std::int64_t row0 = blockIdx.x * std::int64_t{kTile};
  const std::int64_t column0 = blockIdx.y * std::int64_t{kTile};
  const std::int64_t rows = e.dst.rows.rows;
  const int ty = static_cast<int>(threadIdx.x) / 16, tx = static_cast<int>(threadIdx.x) % 16;
  float sum[4][4] = {};
  const auto depth = static_cast<int>(w.depth);
  for (int k0 = 0; k0 < depth; k0 += kDepth) {
    for (int i = static_cast<int>(threadIdx.x); i < kTile * kDepth; i += kThreads) {
      const int r = i / kDepth, k = i % kDepth;
      const bool inside = k0 + k < depth;
      a[k][r] = inside && row0 + r < rows ? source(row0 + r, k0 + k) : 0.0f;
      b[k][r] = inside && column0 + r < w.out ? weight_at(w, in, column0 + r, k0 + k) : 0.0f;
    }
    __syncthreads();
#pragma unroll
    for (int k = 0; k < kDepth; ++k) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
#pragma unroll
        for (int j = 0; j < 4; ++j) sum[i][j] = fmaf(a[k][ty * 4 + i], b[k][tx * 4 + j], sum[i][j]);
      }
    }
    __syncthreads();
  }
  for (int i = 0; i < 4; ++i) {
    const std::int64_t row = row0 + ty * 4 + i;
    if (row >= rows) return;
    const float scale = x_scale.x == nullptr ? 1.0f : x_scale.x[x_scale.fixed ? 0 : row];
    for (int j = 0; j < 4; ++j) {
      const std::int64_t column = column0 + tx * 4 + j;
      if (column >= w.out) break;
      float v = sum[i][j] * scale;
      if (w.row_scale != nullptr) v *= w.row_scale[column];
      if (e.bias != nullptr) v += e.bias[column];
      v = activate(e.act, v);
      if (e.residual.data != nullptr) {
        v += load_one(e.residual.dtype, e.residual.data, row_start(e.residual, row) + column);
      }
      store_one(e.dst.rows.dtype, e.dst.rows.data, row_start(e.dst.rows, row) + column, v);
    }
  }
}

template <typename Source>
void launch(cudaStream_t stream, const Source& source, const Scales& scales, const WeightView& w,
            std::int64_t in, const Epilogue& e) {
  if (e.dst.rows.rows == 0) return;
  const dim3 grid(static_cast<unsigned>((e.dst.rows.rows + kTile - 1) / kTile),
                  static_cast<unsigned>((w.out + kTile - 1) / kTile));
  product<<<grid, kThreads, 0, stream>>>(source, scales, w, static_cast<int>(in), e);
}

// Eight codes to eight BF16 numbers per thread.
__global__ void dequantise_rows(__nv_bfloat16* dst, WeightView w, int in, bool with_scales) {
  const std::int64_t n = blockIdx.x;
  const float row_scale = with_scales && w.row_scale != nullptr ? w.row_scale[n] : 1.0f;
  for (int k = static_cast<int>(threadIdx.x); k < w.depth; k += static_cast<int>(blockDim.x)) {
    const float v =
        with_scales ? weight_at(w, in, n, k) : load_one(w.dtype, w.codes, n * w.depth + k);
    dst[n * w.depth + k] = __float2bfloat16_rn(v * row_scale);
  }
}

template <typename Code>
__global__ void dequantise_vectors(__nv_bfloat16* dst, WeightView w, bool with_scales) {
  const std::int64_t n = blockIdx.x;
  const float scale = with_scales && w.row_scale != nullptr ? w.row_scale[n] : 1.0f;
  const auto* row = static_cast<const std::uint8_t*>(w.codes) + n * w.depth;
  for (std::int64_t k = threadIdx.x * 16; k < w.depth; k += blockDim.x * 16) {
    Code codes[16];
    *reinterpret_cast<uint4*>(codes) = *reinterpret_cast<const uint4*>(row + k);
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float v[8];
#pragma unroll
      for (int i = 0; i < 8; ++i) v[i] = float(codes[8 * half + i]) * scale;
      store8(DType::kBF16, dst, n * w.depth + k + 8 * half, v);
    }
  }
}

__global__ void pack(PackWeight a) {
  const std::int64_t count = a.out * a.in * a.window;
  for (std::int64_t i = blockIdx.x * std::int64_t{blockDim.x} + threadIdx.x; i < count;
       i += std::int64_t{gridDim.x} * blockDim.x) {
    const std::int64_t c = i % a.in, tap = i / a.in % a.window, n = i / a.in / a.window;
    float v = load_one(a.src_dtype, a.src, (n * a.in + c) * a.window + tap);
    if (a.row_scale != nullptr) v *= a.row_scale[n];
    if (a.block_scale != nullptr) {
      const std::int64_t columns = (a.in + a.block - 1) / a.block;
      v *= a.block_scale[n / a.block * columns + c / a.block];
    }
    store_one(a.dst_dtype, a.dst, i, v);
  }
}

__global__ void broadcast(float* dst, const float* value, std::int64_t count) {
  const std::int64_t i = blockIdx.x * std::int64_t{blockDim.x} + threadIdx.x;
  if (i < count) dst[i] = *value;
}
__global__ void one_over(float* dst, const float* value) { *dst = 1.0f / *value; }

}  // namespace

void generic_linear(cudaStream_t stream, const GenericLinear& a) {
  launch(stream, LinearSource{a.x}, {a.x_scale, a.x_scale_fixed}, a.weight, a.weight.depth,
         a.epilogue);
}

void generic_conv(cudaStream_t stream, const GenericConv& a) {
  launch(stream, WindowSource{a.x, a.x_dtype, a.shape}, {nullptr, false}, a.weight, a.shape.in,
         a.epilogue);
}

void pack_weight(cudaStream_t stream, const PackWeight& a) {
  const std::int64_t blocks = (a.out * a.in * a.window + 255) / 256;
  pack<<<static_cast<unsigned>(blocks < 8192 ? blocks : 8192), 256, 0, stream>>>(a);
}

void dequantise(cudaStream_t stream, void* dst, const WeightView& w, std::int64_t in,
                bool with_scales) {
  const auto rows = static_cast<unsigned>(w.out);
  auto* out = static_cast<__nv_bfloat16*>(dst);
  const bool vectors = w.depth % 16 == 0 && w.block_scale == nullptr &&
                       reinterpret_cast<std::uintptr_t>(w.codes) % 16 == 0;
  if (vectors && w.dtype == DType::kF8E4M3) {
    dequantise_vectors<__nv_fp8_e4m3><<<rows, 128, 0, stream>>>(out, w, with_scales);
  } else if (vectors && w.dtype == DType::kF8E5M2) {
    dequantise_vectors<__nv_fp8_e5m2><<<rows, 128, 0, stream>>>(out, w, with_scales);
  } else {
    dequantise_rows<<<rows, 256, 0, stream>>>(out, w, static_cast<int>(in), with_scales);
  }
}

void reciprocal(cudaStream_t stream, float* dst, const float* value) {
  one_over<<<1, 1, 0, stream>>>(dst, value);
}

void broadcast_scale(cudaStream_t stream, float* dst, const float* value, std::int64_t count) {
  if (count == 0) return;
  broadcast<<<static_cast<unsigned>((count + 255) / 256), 256, 0, stream>>>(dst, value, count);
}

}  // namespace octet::cuda
