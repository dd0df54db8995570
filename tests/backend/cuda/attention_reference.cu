#include <cuda_bf16.h>

#include "backend/cuda/attention_reference.h"

namespace octet::test {
namespace {

constexpr int kHead = 64;

__device__ const __nv_bfloat16* row(const cuda::AttentionInput& in, std::int64_t b, std::int64_t s,
                                    std::int64_t h) {
  return static_cast<const __nv_bfloat16*>(in.data) + b * in.batch_stride + s * in.token_stride +
         h * in.head_stride;
}

__device__ float score(const cuda::AttentionDesc& d, const __nv_bfloat16* q,
                       const __nv_bfloat16* k) {
  float sum = 0;
  for (int i = 0; i < kHead; ++i) sum += __bfloat162float(q[i]) * __bfloat162float(k[i]);
  return sum * d.scale;
}

// A block of 64 threads takes one query of one head, a thread one column.
__global__ void reference_kernel(cuda::AttentionDesc d, std::int64_t queries, float* out) {
  const std::int64_t s = blockIdx.x;
  const std::int64_t h = blockIdx.y;
  const std::int64_t b = blockIdx.z;
  const int column = static_cast<int>(threadIdx.x);
  __shared__ float scores[kHead];
  const __nv_bfloat16* q = row(d.q, b, s, h);
  float most = -INFINITY;
  for (std::int64_t j = 0; j < d.keys; ++j) most = fmaxf(most, score(d, q, row(d.k, b, j, h)));
  float total = 0;
  float sum = 0;
  for (std::int64_t j0 = 0; j0 < d.keys; j0 += kHead) {
    const std::int64_t j = j0 + column;
    scores[column] = j < d.keys ? expf(score(d, q, row(d.k, b, j, h)) - most) : 0;
    __syncthreads();
    for (int i = 0; i < kHead && j0 + i < d.keys; ++i) {
      total += scores[i];
      sum += scores[i] * __bfloat162float(row(d.v, b, j0 + i, h)[column]);
    }
    __syncthreads();
  }
  out[((b * queries + s) * d.heads + h) * kHead + column] = sum / total;
}

}  // namespace

void attention_reference(const cuda::AttentionDesc& d, float* out) {
  const std::int64_t queries = d.out[0].tokens + d.out[1].tokens;
  const dim3 grid(static_cast<unsigned>(queries), static_cast<unsigned>(d.heads),
                  static_cast<unsigned>(d.batch));
  reference_kernel<<<grid, kHead>>>(d, queries, out);
}

}  // namespace octet::test
