// Attention for any head size that fits into shared memory, with bias and causal mask, in FP32
// arithmetic: the path for FP32 and for what the tensor core kernels do not cover.
#include "backend/cuda/device.cuh"

namespace octet::cuda {
namespace {

constexpr int kQueries = 16;  // per block: 4 warps of 4
constexpr int kKeys = 32;     // one key per lane
constexpr int kRows = 4;      // queries per warp
constexpr int kThreads = 128;

__device__ float element(const View& t, std::int64_t b, std::int64_t s, std::int64_t h, int d) {
  return load_one(t.dtype, t.data, b * t.strides[0] + s * t.strides[1] + h * t.strides[2] + d);
}

// kColumns = ceil(head size / 32): each lane keeps that many columns of every output row.
template <int kColumns>
__global__ void __launch_bounds__(kThreads) attention(GenericAttention a) {
  extern __shared__ float memory[];
  const auto size = static_cast<int>(a.q.dims[3]);
  const int pitch = size + 1;  // odd: lanes that walk down a column meet different banks
  float* queries = memory;     // [kQueries][size]
  float* keys = queries + kQueries * size;  // [kKeys][pitch]
  float* values = keys + kKeys * pitch;     // [kKeys][size]
  const auto head = static_cast<std::int64_t>(blockIdx.y);
  const auto batch = static_cast<std::int64_t>(blockIdx.z);
  const std::int64_t first = blockIdx.x * std::int64_t{kQueries};
  const std::int64_t query_count = a.q.dims[1], key_count = a.k.dims[1];
  const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
  for (int i = static_cast<int>(threadIdx.x); i < kQueries * size; i += kThreads) {
    const std::int64_t s = first + i / size;
    queries[i] = s < query_count ? element(a.q, batch, s, head, i % size) * a.scale : 0.0f;
  }
  float out[kRows][kColumns] = {};
  float top[kRows], total[kRows] = {};
  for (float& t : top) t = -INFINITY;
  const std::int64_t last = first + kQueries < query_count ? first + kQueries : query_count;
  const std::int64_t visible = a.causal && last < key_count ? last : key_count;
  for (std::int64_t k0 = 0; k0 < visible; k0 += kKeys) {
    __syncthreads();
    for (int i = static_cast<int>(threadIdx.x); i < kKeys * size; i += kThreads) {
      const std::int64_t s = k0 + i / size;
      const bool inside = s < key_count;
      keys[i / size * pitch + i % size] = inside ? element(a.k, batch, s, head, i % size) : 0.0f;
      values[i] = inside ? element(a.v, batch, s, head, i % size) : 0.0f;
    }
    __syncthreads();
    float score[kRows] = {};
    for (int d = 0; d < size; ++d) {
      const float key = keys[lane * pitch + d];
#pragma unroll
      for (int r = 0; r < kRows; ++r) {
        score[r] = fmaf(queries[(warp * kRows + r) * size + d], key, score[r]);
      }
    }
    const std::int64_t key = k0 + lane;
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      const std::int64_t query = first + warp * kRows + r;
      if (a.bias != nullptr && query < query_count && key < key_count) {
        score[r] += a.bias[(head * query_count + query) * key_count + key];
      }
      if (key >= key_count || (a.causal && key > query)) score[r] = -INFINITY;
      float most = score[r];
#pragma unroll
      for (int i = 16; i > 0; i /= 2) most = fmaxf(most, __shfl_xor_sync(~0u, most, i));
      most = fmaxf(most, top[r]);
      const float safe = most == -INFINITY ? 0.0f : most;  // nothing visible yet
      const float keep = __expf(top[r] - safe);
      const float p = expf(score[r] - safe);
      top[r] = most;
      float sum = p;
#pragma unroll
      for (int i = 16; i > 0; i /= 2) sum += __shfl_xor_sync(~0u, sum, i);
      total[r] = total[r] * keep + sum;
#pragma unroll
      for (int c = 0; c < kColumns; ++c) out[r][c] *= keep;
      score[r] = p;
    }
    for (int j = 0; j < kKeys; ++j) {
      float p[kRows];
#pragma unroll
      for (int r = 0; r < kRows; ++r) p[r] = __shfl_sync(~0u, score[r], j);
#pragma unroll
      for (int c = 0; c < kColumns; ++c) {
        const int d = c * 32 + lane;
        const float value = d < size ? values[j * size + d] : 0.0f;
#pragma unroll
        for (int r = 0; r < kRows; ++r) out[r][c] = fmaf(p[r], value, out[r][c]);
      }
    }
  }
#pragma unroll
  for (int r = 0; r < kRows; ++r) {
    const std::int64_t query = first + warp * kRows + r;
    if (query >= query_count) continue;
    const std::int64_t at = row_start(a.dst, batch * query_count + query) + head * size;
#pragma unroll
    for (int c = 0; c < kColumns; ++c) {
      const int d = c * 32 + lane;
      if (d < size) store_one(a.dst.dtype, a.dst.data, at + d, out[r][c] / total[r]);
    }
  }
}

template <int kColumns>
bool launch(cudaStream_t stream, const GenericAttention& a) {
  const auto size = static_cast<std::size_t>(a.q.dims[3]);
  const std::size_t bytes = (size * (kQueries + 2 * kKeys) + kKeys) * sizeof(float);
  if (cudaFuncSetAttribute(attention<kColumns>, cudaFuncAttributeMaxDynamicSharedMemorySize,
                           static_cast<int>(bytes)) != cudaSuccess) {
    (void)cudaGetLastError();
    return false;
  }
  const dim3 grid(static_cast<unsigned>((a.q.dims[1] + kQueries - 1) / kQueries),
                  static_cast<unsigned>(a.q.dims[2]), static_cast<unsigned>(a.q.dims[0]));
  attention<kColumns><<<grid, kThreads, bytes, stream>>>(a);
  return true;
}

__global__ void softmax(SoftmaxRows a) {
  __shared__ float shared[2][32];
  const std::int64_t head = blockIdx.y, query = a.first + blockIdx.x;
  const std::int64_t at = (head * a.block + blockIdx.x) * a.pitch;
  const float* row = a.scores + at;
  const float* bias = a.bias == nullptr ? nullptr : a.bias + (head * a.queries + query) * a.keys;
  const std::int64_t visible = a.causal && query + 1 < a.keys ? query + 1 : a.keys;
  const auto score = [&](std::int64_t i) {
    return bias == nullptr ? row[i] * a.scale : fmaf(row[i], a.scale, bias[i]);
  };
  float top = -INFINITY;
  for (std::int64_t i = threadIdx.x; i < visible; i += blockDim.x) top = fmaxf(top, score(i));
  top = block_reduce(top, Max{}, -INFINITY, shared[0]);
  float sum = 0;
  for (std::int64_t i = threadIdx.x; i < visible; i += blockDim.x) sum += __expf(score(i) - top);
  const float inverse = 1.0f / block_reduce(sum, Add{}, 0.0f, shared[1]);
  auto* dst = static_cast<__nv_bfloat16*>(a.dst) + at;
  for (std::int64_t i = threadIdx.x; i < a.pitch; i += blockDim.x) {
    dst[i] = __float2bfloat16_rn(i < visible ? __expf(score(i) - top) * inverse : 0.0f);
  }
}

}  // namespace

bool generic_attention(cudaStream_t stream, const GenericAttention& a) {
  if (a.q.dims[0] * a.q.dims[1] == 0) return true;
  const std::int64_t columns = (a.q.dims[3] + 31) / 32;
  if (columns <= 1) return launch<1>(stream, a);
  if (columns <= 2) return launch<2>(stream, a);
  if (columns <= 4) return launch<4>(stream, a);
  if (columns <= 8) return launch<8>(stream, a);
  if (columns <= 16) return launch<16>(stream, a);
  return false;
}

void softmax_rows(cudaStream_t stream, const SoftmaxRows& a) {
  if (a.rows == 0 || a.heads == 0) return;
  const dim3 grid(static_cast<unsigned>(a.rows), static_cast<unsigned>(a.heads));
  const unsigned threads = a.keys > 1024 ? 512 : 128;
  softmax<<<grid, threads, 0, stream>>>(a);
}

}  // namespace octet::cuda
