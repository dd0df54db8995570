// attention(): which kernel takes it, and the pass that turns its result into FP8 codes.
#include "backend/cuda/cuda_ops.h"
#include "base/check.h"

namespace octet::cuda {

void CudaBackend::attention(const AttentionArgs& a) {
  const bool fp8 = is_fp8(a.dst.data.dtype);
  const Tensor dst = fp8 ? scratch_like(Slot::kAttention, a.q.dtype, a.dst.data) : a.dst.data;
  if (!composed_attention(a, dst)) {
    const bool done = generic_attention(stream(), {.q = view_of(a.q),
                                                   .k = view_of(a.k),
                                                   .v = view_of(a.v),
                                                   .dst = rows_of(dst),
                                                   .bias = a.bias.as<const float>(),
                                                   .scale = a.scale,
                                                   .causal = a.causal});
    if (!done) {
      throw Error(Code::kUnsupported,
                  format("attention: expected a head size of at most 512, found %lld",
                         static_cast<long long>(a.q.dim(3))));
    }
  }
  launched("attention");
  if (fp8) {
    pointwise(stream(), {output_of(a.dst), rows_of(dst), {}, Act::kNone});
    launched("attention, quantising");
  }
}

// Wide heads (the VAE's single one of 512): scores and values are products of their own, a block of
// query rows at a time, because no tile of such heads fits beside its accumulators.
bool CudaBackend::composed_attention(const AttentionArgs& a, const Tensor& dst) {
  constexpr std::int64_t kNarrow = 128, kScoreBytes = std::int64_t{256} << 20;
  const std::int64_t size = a.q.dim(3);
  const std::int64_t keys = a.k.dim(1);
  if (a.q.dtype != DType::kBF16 || size <= kNarrow || a.causal || a.bias || keys % 8 != 0 ||
      size % 8 != 0 || dst.dtype != DType::kBF16) {
    return false;
  }
  const auto fits = [](const Tensor& t) {
    return reinterpret_cast<std::uintptr_t>(t.data) % 16 == 0 && t.stride(0) % 8 == 0 &&
           t.stride(1) % 8 == 0 && (t.rank < 4 || t.stride(2) % 8 == 0);
  };
  if (!fits(a.q) || !fits(a.k) || !fits(a.v) || !fits(dst)) return false;
  const std::int64_t block =
      std::max<std::int64_t>(1, std::min(a.q.dim(1), kScoreBytes / 4 / keys));
  const auto bytes = static_cast<std::size_t>(block * keys);
  auto* scores = static_cast<float*>(scratch(Slot::kScores, bytes * 6));
  void* weights = scores + block * keys;
  const auto element = [](const Tensor& t, std::int64_t b, std::int64_t s, std::int64_t h) {
    return t.as<char>() + (b * t.stride(0) + s * t.stride(1) + h) * 2;
  };
  for (std::int64_t i = 0; i < a.q.dim(0) * a.q.dim(2); ++i) {
    const std::int64_t b = i / a.q.dim(2);
    const std::int64_t h = i % a.q.dim(2);
    for (std::int64_t s = 0; s < a.q.dim(1); s += block) {
      const std::int64_t rows = std::min(block, a.q.dim(1) - s);
      matmul_->run(stream(),
                   {.m = rows,
                    .n = keys,
                    .k = size,
                    .x_stride = a.q.stride(1),
                    .w_stride = a.k.stride(1),
                    .dst_stride = keys,
                    .x = DType::kBF16,
                    .w = DType::kBF16,
                    .dst = DType::kF32},
                   {.x = element(a.q, b, s, h * a.q.stride(2)),
                    .w = element(a.k, b, 0, h * a.k.stride(2)),
                    .dst = scores},
                   nullptr);
      softmax_rows(stream(), weights, scores, rows, keys, a.scale);
      matmul_->run(stream(),
                   {.m = rows,
                    .n = size,
                    .k = keys,
                    .x_stride = keys,
                    .w_stride = a.v.stride(1),
                    .dst_stride = dst.stride(1),
                    .x = DType::kBF16,
                    .w = DType::kBF16,
                    .dst = DType::kBF16,
                    .w_transposed = true},
                   {.x = weights,
                    .w = element(a.v, b, 0, h * a.v.stride(2)),
                    .dst = element(dst, b, s, h * size)},
                   nullptr);
    }
  }
  return true;
}

}  // namespace octet::cuda
