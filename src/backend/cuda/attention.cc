// attention(): which kernel takes it, and for those that cannot, the pass that makes FP8 codes.
#include "backend/cuda/attention/attention.h"

#include "backend/cuda/cuda_ops.h"
#include "backend/device_scratch.h"
#include "base/check.h"

namespace octet::cuda {

// Heads of 64 in BF16 on Hopper: both results of a joint sequence in one launch, BF16 or E4M3.
bool CudaBackend::hopper_attention(const AttentionArgs& a, const Activation& dst,
                                   const Activation& rest) {
  const auto writes = [](const Activation& to) {
    return !to.data || to.data.dtype == DType::kBF16 || to.data.dtype == DType::kF8E4M3;
  };
  if (a.q.dtype != DType::kBF16 || !writes(dst) || !writes(rest) || a.q.dim(3) != 64 || a.causal ||
      a.bias) {
    return false;
  }
  const auto input = [](const Tensor& t) {
    return AttentionInput{.data = t.data,
                          .batch_stride = t.stride(0),
                          .token_stride = t.stride(1),
                          .head_stride = t.stride(2)};
  };
  const auto output = [](const Activation& to) {
    const Tensor& t = to.data;
    if (!t) return AttentionOutput{};
    return AttentionOutput{.data = t.data,
                           .tokens = t.dim(1),
                           .batch_stride = t.stride(0),
                           .token_stride = t.stride(1),
                           .scale = to.scale.as<float>(),
                           .fixed_scale = to.scale && to.scale.rank == 0};
  };
  const auto batch = static_cast<std::size_t>(a.q.dim(0));
  const AttentionDesc desc{
      .q = input(a.q),
      .k = input(a.k),
      .v = input(a.v),
      .out = {output(dst), output(rest)},
      .norm_q = {a.norm_q[0].as<const float>(), a.norm_q[1].as<const float>()},
      .largest = static_cast<unsigned*>(scratch(Slot::kLargest, batch * sizeof(unsigned))),
      .batch = a.q.dim(0),
      .heads = a.q.dim(2),
      .keys = a.k.dim(1),
      .scale = a.scale};
  if (!attention_supports(desc, 10 * properties_.major + properties_.minor)) return false;
  attention_launch(desc, stream());
  return true;
}

void CudaBackend::attention_by_parts(const AttentionArgs& args, const Tensor& dst,
                                     const Tensor& rest) {
  AttentionArgs a = args.norm_q[0] ? with_normalised_queries(*this, args) : args;
  const Tensor q = a.q;
  a.q = slice(q, 1, 0, dst.dim(1));
  generic_or_composed(a, dst);
  if (!rest) return;
  a.q = slice(q, 1, dst.dim(1), q.dim(1));
  generic_or_composed(a, rest);
}

void CudaBackend::generic_or_composed(const AttentionArgs& a, const Tensor& dst) {
  if (composed_attention(a, dst)) return;
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

void CudaBackend::attention(const AttentionArgs& a) {
  if (hopper_attention(a, a.dst, a.rest)) return launched("attention");
  const auto plain = [&](Slot slot, const Activation& dst) {
    return is_fp8(dst.data.dtype) ? scratch_like(slot, a.q.dtype, dst.data) : dst.data;
  };
  const Tensor dst = plain(Slot::kAttention, a.dst);
  const Tensor rest = a.rest.data ? plain(Slot::kAttentionRest, a.rest) : Tensor{};
  if (!hopper_attention(a, dst, rest)) attention_by_parts(a, dst, rest);
  launched("attention");
  const auto quantise = [&](const Activation& to, const Tensor& from) {
    if (!to.data || !is_fp8(to.data.dtype)) return;
    pointwise(stream(), {output_of(to), rows_of(from), {}, Act::kNone});
    launched("attention, quantising");
  };
  quantise(a.dst, dst);
  quantise(a.rest, rest);
}

// Scores and values as products of their own, for a block of query rows of all heads at a time:
// wide heads (the VAE's single one of 512), whose tiles do not fit beside their accumulators, and
// the short sequences with bias or causal mask of the text encoders.
bool CudaBackend::composed_attention(const AttentionArgs& a, const Tensor& dst) {
  constexpr auto kMostScores = static_cast<std::int64_t>(kScoreBytes / kBytesPerScore);
  const std::int64_t size = a.q.dim(3);
  const std::int64_t heads = a.q.dim(2);
  const std::int64_t keys = a.k.dim(1);
  const std::int64_t pitch = (keys + 7) / 8 * 8;
  const auto fits = [](const Tensor& t) {
    return t.dtype == DType::kBF16 && reinterpret_cast<std::uintptr_t>(t.data) % 16 == 0 &&
           t.stride(0) % 8 == 0 && t.stride(1) % 8 == 0 && (t.rank < 4 || t.stride(2) % 8 == 0);
  };
  if (size % 8 != 0 || !fits(a.q) || !fits(a.k) || !fits(a.v) || !fits(dst)) return false;
  const std::int64_t block =
      std::max<std::int64_t>(1, std::min(a.q.dim(1), kMostScores / pitch / heads));
  MatmulShape score{.m = block, .n = keys, .k = size};
  score.x_stride = a.q.stride(1);
  score.w_stride = a.k.stride(1);
  score.dst_stride = pitch;
  score.batch = heads;
  score.x_batch = a.q.stride(2);
  score.w_batch = a.k.stride(2);
  score.dst_batch = block * pitch;
  score.x = score.w = DType::kBF16;
  MatmulShape value{.m = block, .n = size, .k = keys};
  value.x_stride = pitch;
  value.w_stride = a.v.stride(1);
  value.dst_stride = dst.stride(1);
  value.batch = heads;
  value.x_batch = block * pitch;
  value.w_batch = a.v.stride(2);
  value.dst_batch = size;
  value.x = value.w = value.dst = DType::kBF16;
  value.w_transposed = true;
  if (!matmul_->supports(score) || !matmul_->supports(value)) return false;

  const auto count = static_cast<std::size_t>(heads * block * pitch);
  auto* scores = static_cast<float*>(scratch(Slot::kScores, count * kBytesPerScore));
  void* weights = scores + count;
  const auto element = [](const Tensor& t, std::int64_t b, std::int64_t s) {
    return t.as<char>() + (b * t.stride(0) + s * t.stride(1)) * 2;
  };
  for (std::int64_t b = 0; b < a.q.dim(0); ++b) {
    for (std::int64_t s = 0; s < a.q.dim(1); s += block) {
      score.m = value.m = std::min(block, a.q.dim(1) - s);
      matmul_->run(stream(), score,
                   {.x = element(a.q, b, s), .w = element(a.k, b, 0), .dst = scores}, {});
      softmax_rows(stream(), {.dst = weights,
                              .scores = scores,
                              .bias = a.bias.as<const float>(),
                              .heads = heads,
                              .block = block,
                              .rows = score.m,
                              .first = s,
                              .queries = a.q.dim(1),
                              .keys = keys,
                              .pitch = pitch,
                              .scale = a.scale,
                              .causal = a.causal});
      matmul_->run(stream(), value,
                   {.x = weights, .w = element(a.v, b, 0), .dst = element(dst, b, s)}, {});
    }
  }
  return true;
}

}  // namespace octet::cuda
