#include "backend/ops_checked.h"

#include "base/check.h"

namespace octet::ops {
namespace {

// Every check names the op and prints both tensors.
#define REQUIRE(op, condition, a, b) \
  OCTET_CHECK(condition, "[" op "] %s against %s", describe(a).c_str(), describe(b).c_str())

bool stream(const Tensor& t) { return t.dtype == DType::kF32 || t.dtype == DType::kBF16; }
bool last_dense(const Tensor& t) { return t.rank > 0 && t.stride(-1) == 1; }

Tensor without_last(Tensor t) {
  t.rank = t.rank > 0 ? t.rank - 1 : 0;
  return t;
}

bool matches_but_last(const Tensor& a, const Tensor& b) {
  return a.rank == b.rank && same_dims(without_last(a), without_last(b));
}

// FP8 data needs a scale, static (rank 0) or one per row; other data must not have one. Rows of
// rank 1 have no place here: their dynamic scale would look like a static one.
bool scale_fits(const Activation& a) {
  if (!is_fp8(a.data.dtype)) return !a.scale;
  return a.scale && a.scale.dtype == DType::kF32 && a.scale.dense() && a.data.rank >= 2 &&
         (a.scale.rank == 0 || same_dims(a.scale, without_last(a.data)));
}

bool activation_fits(const Activation& a) {
  return (stream(a.data) || a.data.dtype == DType::kF8E4M3) && last_dense(a.data) && scale_fits(a);
}

bool vector_of(const Tensor& t, std::int64_t n) {
  return t.rank == 1 && t.dtype == DType::kF32 && t.dense() && t.dim(0) == n;
}

// FP32 [B, C] whose rows may be strided.
bool per_row(const Tensor& t, const Tensor& x) {
  return t.rank == 2 && t.dtype == DType::kF32 && last_dense(t) && t.dim(0) == x.dim(0) &&
         t.dim(1) == x.dim(-1);
}

std::int64_t conv_size(std::int64_t size, const Conv2dArgs& a) {
  const std::int64_t padded = (a.upsample ? 2 * size : size) + a.pad_before + a.pad_after;
  return (padded - a.weight->kernel) / a.stride + 1;
}

}  // namespace

void copy(Ctx ctx, const CopyArgs& a) {
  REQUIRE("copy", same_dims(a.dst, a.src), a.dst, a.src);
  REQUIRE("copy", is_float(a.dst.dtype) == is_float(a.src.dtype), a.dst, a.src);
  ctx.backend.copy(a);
}

void fill(Ctx ctx, const FillArgs& a) {
  REQUIRE("fill", is_float(a.dst.dtype), a.dst, a.dst);
  ctx.backend.fill(a);
}

void to_u8(Ctx ctx, const ToU8Args& a) {
  REQUIRE("to_u8", same_dims(a.dst, a.src) && a.dst.dtype == DType::kU8, a.dst, a.src);
  REQUIRE("to_u8", stream(a.src) && a.src.dense() && a.dst.dense(), a.dst, a.src);
  ctx.backend.to_u8(a);
}

void embed_tokens(Ctx ctx, const EmbedTokensArgs& a) {
  REQUIRE("embed_tokens", stream(a.dst) && a.dst.rank == 3 && last_dense(a.dst), a.dst, a.ids);
  REQUIRE("embed_tokens", a.ids.dtype == DType::kI32 && a.ids.rank == 2 && a.ids.dense(), a.ids,
          a.dst);
  REQUIRE("embed_tokens", a.ids.dim(0) == a.dst.dim(0) && a.ids.dim(1) == a.dst.dim(1), a.ids,
          a.dst);
  REQUIRE("embed_tokens", a.table.rank == 2 && a.table.dim(1) == a.dst.dim(2), a.table, a.dst);
  REQUIRE(
      "embed_tokens",
      !a.positions || (a.positions.dim(1) == a.dst.dim(2) && a.positions.dim(0) >= a.dst.dim(1)),
      a.positions, a.dst);
  ctx.backend.embed_tokens(a);
}

void timestep_embedding(Ctx ctx, const TimestepEmbeddingArgs& a) {
  REQUIRE("timestep_embedding", a.dst.rank == 2 && stream(a.dst) && a.dst.dense(), a.dst,
          a.timesteps);
  REQUIRE("timestep_embedding", vector_of(a.timesteps, a.dst.dim(0)) && a.dst.dim(1) % 2 == 0,
          a.timesteps, a.dst);
  ctx.backend.timestep_embedding(a);
}

void patchify(Ctx ctx, const PatchifyArgs& a) {
  REQUIRE("patchify", a.src.rank == 4 && a.dst.rank == 3 && a.src.dtype == DType::kF32, a.dst,
          a.src);
  REQUIRE("patchify", stream(a.dst) && a.src.dense() && a.dst.dense(), a.dst, a.src);
  const std::int64_t p = a.patch;
  REQUIRE("patchify",
          a.src.dim(2) % p == 0 && a.src.dim(3) % p == 0 && a.dst.dim(0) == a.src.dim(0) &&
              a.dst.dim(1) == (a.src.dim(2) / p) * (a.src.dim(3) / p) &&
              a.dst.dim(2) == a.src.dim(1) * p * p,
          a.dst, a.src);
  ctx.backend.patchify(a);
}

void unpatchify(Ctx ctx, const UnpatchifyArgs& a) {
  REQUIRE("unpatchify", a.dst.rank == 4 && a.src.rank == 3 && a.dst.dtype == DType::kF32, a.dst,
          a.src);
  REQUIRE("unpatchify", stream(a.src) && a.src.dense() && a.dst.dense(), a.dst, a.src);
  const std::int64_t p = a.patch;
  REQUIRE("unpatchify",
          a.dst.dim(2) % p == 0 && a.dst.dim(3) % p == 0 && a.dst.dim(0) == a.src.dim(0) &&
              a.src.dim(1) == (a.dst.dim(2) / p) * (a.dst.dim(3) / p) &&
              a.src.dim(2) == a.dst.dim(1) * p * p,
          a.dst, a.src);
  ctx.backend.unpatchify(a);
}

void add_position_crop(Ctx ctx, const AddPositionCropArgs& a) {
  REQUIRE("add_position_crop", a.x.rank == 3 && stream(a.x) && a.x.dense(), a.x, a.table);
  REQUIRE("add_position_crop",
          a.table.rank == 3 && a.table.dense() && a.table.dim(2) == a.x.dim(2) &&
              a.height * a.width == a.x.dim(1) && a.height <= a.table.dim(0) &&
              a.width <= a.table.dim(1),
          a.x, a.table);
  ctx.backend.add_position_crop(a);
}

void relative_position_bias(Ctx ctx, const RelativePositionBiasArgs& a) {
  REQUIRE("relative_position_bias", a.dst.rank == 3 && a.dst.dtype == DType::kF32 && a.dst.dense(),
          a.dst, a.table);
  REQUIRE("relative_position_bias",
          a.table.rank == 2 && a.table.dim(1) == a.dst.dim(0) && a.dst.dim(1) == a.dst.dim(2),
          a.dst, a.table);
  ctx.backend.relative_position_bias(a);
}

void quantize_fp8(Ctx ctx, const QuantizeFp8Args& a) {
  REQUIRE("quantize_fp8", same_dims(a.dst.data, a.src) && stream(a.src) && last_dense(a.src),
          a.dst.data, a.src);
  REQUIRE("quantize_fp8", a.dst.data.dtype == DType::kF8E4M3 && activation_fits(a.dst), a.dst.data,
          a.dst.scale);
  ctx.backend.quantize_fp8(a);
}

void linear(Ctx ctx, const LinearArgs& a) {
  OCTET_CHECK(a.weight != nullptr && a.weight->kernel == 1, "[linear] no linear weight");
  REQUIRE("linear", activation_fits(a.x) && a.x.data.dtype == a.weight->input, a.x.data, a.x.scale);
  REQUIRE("linear", activation_fits(a.dst) && matches_but_last(a.dst.data, a.x.data), a.dst.data,
          a.x.data);
  OCTET_CHECK(a.x.data.dim(-1) == a.weight->in && a.dst.data.dim(-1) == a.weight->out,
              "[linear] %s from %s by a weight of [%lld, %lld]", describe(a.dst.data).c_str(),
              describe(a.x.data).c_str(), static_cast<long long>(a.weight->out),
              static_cast<long long>(a.weight->in));
  REQUIRE("linear",
          !a.residual ||
              (same_dims(a.residual, a.dst.data) && stream(a.residual) && last_dense(a.residual)),
          a.residual, a.dst.data);
  ctx.backend.linear(a);
}

void conv2d(Ctx ctx, const Conv2dArgs& a) {
  OCTET_CHECK(a.weight != nullptr, "[conv2d] no weight");
  REQUIRE("conv2d", a.x.rank == 4 && a.dst.rank == 4 && a.x.dense() && a.dst.dense(), a.dst, a.x);
  REQUIRE("conv2d", a.x.dtype == a.weight->input && stream(a.dst), a.dst, a.x);
  REQUIRE("conv2d",
          a.dst.dim(0) == a.x.dim(0) && a.dst.dim(1) == conv_size(a.x.dim(1), a) &&
              a.dst.dim(2) == conv_size(a.x.dim(2), a) && a.dst.dim(3) == a.weight->out &&
              a.x.dim(3) == a.weight->in,
          a.dst, a.x);
  REQUIRE("conv2d", !a.residual || (same_dims(a.residual, a.dst) && a.residual.dense()), a.residual,
          a.dst);
  ctx.backend.conv2d(a);
}

void attention(Ctx ctx, const AttentionArgs& a) {
  REQUIRE("attention", a.q.rank == 4 && same_dims(a.k, a.v) && a.k.rank == 4, a.q, a.k);
  REQUIRE("attention", stream(a.q) && a.q.dtype == a.k.dtype && a.q.dtype == a.v.dtype, a.q, a.k);
  REQUIRE("attention", last_dense(a.q) && last_dense(a.k) && last_dense(a.v), a.q, a.k);
  REQUIRE("attention",
          a.q.dim(0) == a.k.dim(0) && a.q.dim(2) == a.k.dim(2) && a.q.dim(3) == a.k.dim(3), a.q,
          a.k);
  const auto takes = [&](const Activation& dst, std::int64_t queries) {
    return activation_fits(dst) && dst.data.rank == 3 && dst.data.dim(0) == a.q.dim(0) &&
           dst.data.dim(1) == queries && dst.data.dim(2) == a.q.dim(2) * a.q.dim(3);
  };
  const std::int64_t rest = a.rest.data ? a.rest.data.dim(1) : 0;
  REQUIRE("attention", takes(a.dst, a.q.dim(1) - rest), a.dst.data, a.q);
  REQUIRE("attention", rest == 0 || (takes(a.rest, rest) && !a.causal && !a.bias), a.rest.data,
          a.q);
  REQUIRE("attention",
          !a.bias || (a.bias.rank == 3 && a.bias.dtype == DType::kF32 && a.bias.dense() &&
                      a.bias.dim(0) == a.q.dim(2) && a.bias.dim(1) == a.q.dim(1) &&
                      a.bias.dim(2) == a.k.dim(1)),
          a.bias, a.q);
  REQUIRE("attention",
          !a.norm_q[0] || (vector_of(a.norm_q[0], a.q.dim(3)) &&
                           (rest == 0 || vector_of(a.norm_q[1], a.q.dim(3)))),
          a.norm_q[0], a.q);
  ctx.backend.attention(a);
}

void layer_norm(Ctx ctx, const LayerNormArgs& a) {
  REQUIRE("layer_norm", same_dims(a.dst.data, a.x) && activation_fits(a.dst), a.dst.data, a.x);
  REQUIRE("layer_norm", stream(a.x) && last_dense(a.x), a.x, a.weight);
  REQUIRE("layer_norm", vector_of(a.weight, a.x.dim(-1)) && vector_of(a.bias, a.x.dim(-1)),
          a.weight, a.bias);
  ctx.backend.layer_norm(a);
}

void layer_norm_modulate(Ctx ctx, const LayerNormModulateArgs& a) {
  REQUIRE("layer_norm_modulate", a.x.rank == 3 && stream(a.x) && last_dense(a.x), a.x, a.dst.data);
  if (a.dst.data) {
    REQUIRE("layer_norm_modulate", same_dims(a.dst.data, a.x) && activation_fits(a.dst), a.dst.data,
            a.x);
    REQUIRE("layer_norm_modulate", per_row(a.shift, a.x) && per_row(a.scale, a.x), a.shift, a.x);
  }
  for (const GatedBranch& branch : a.branches) {
    if (!branch.value) continue;
    REQUIRE("layer_norm_modulate",
            same_dims(branch.value, a.x) && stream(branch.value) && last_dense(branch.value) &&
                per_row(branch.gate, a.x),
            branch.value, branch.gate);
  }
  ctx.backend.layer_norm_modulate(a);
}

void rms_norm(Ctx ctx, const RmsNormArgs& a) {
  REQUIRE("rms_norm", same_dims(a.dst.data, a.x) && activation_fits(a.dst), a.dst.data, a.x);
  REQUIRE("rms_norm", stream(a.x) && last_dense(a.x) && vector_of(a.weight, a.x.dim(-1)), a.x,
          a.weight);
  ctx.backend.rms_norm(a);
}

void qk_norm(Ctx ctx, const QkNormArgs& a) {
  REQUIRE("qk_norm", a.x.rank == 4 && stream(a.x) && last_dense(a.x), a.x, a.weight);
  REQUIRE("qk_norm", vector_of(a.weight, a.x.dim(-1)), a.weight, a.x);
  ctx.backend.qk_norm(a);
}

void group_norm(Ctx ctx, const GroupNormArgs& a) {
  REQUIRE("group_norm", a.x.rank == 4 && same_dims(a.dst, a.x), a.dst, a.x);
  REQUIRE("group_norm", stream(a.x) && stream(a.dst) && a.x.dense() && a.dst.dense(), a.dst, a.x);
  REQUIRE("group_norm",
          a.groups > 0 && a.x.dim(-1) % a.groups == 0 && vector_of(a.weight, a.x.dim(-1)) &&
              vector_of(a.bias, a.x.dim(-1)),
          a.x, a.weight);
  ctx.backend.group_norm(a);
}

void activation(Ctx ctx, const ActivationArgs& a) {
  REQUIRE("activation", same_dims(a.dst.data, a.x) && activation_fits(a.dst) && stream(a.x),
          a.dst.data, a.x);
  ctx.backend.activation(a);
}

void gated_gelu(Ctx ctx, const GatedGeluArgs& a) {
  REQUIRE("gated_gelu", same_dims(a.gate, a.up) && stream(a.gate) && stream(a.up), a.gate, a.up);
  REQUIRE("gated_gelu", same_dims(a.dst.data, a.up) && activation_fits(a.dst), a.dst.data, a.up);
  ctx.backend.gated_gelu(a);
}

void add(Ctx ctx, const AddArgs& a) {
  REQUIRE("add", same_dims(a.dst, a.a) && same_dims(a.a, a.b), a.a, a.b);
  REQUIRE("add", stream(a.dst) && stream(a.a) && stream(a.b), a.a, a.b);
  ctx.backend.add(a);
}

void scale_shift(Ctx ctx, const ScaleShiftArgs& a) {
  REQUIRE("scale_shift", same_dims(a.dst, a.x) && stream(a.dst) && stream(a.x), a.dst, a.x);
  ctx.backend.scale_shift(a);
}

void linear_combination(Ctx ctx, const LinearCombinationArgs& a) {
  REQUIRE("linear_combination", a.dst.dtype == DType::kF32 && a.dst.dense(), a.dst, a.dst);
  for (const LinearTerm& term : a.terms) {
    if (!term.x) continue;
    REQUIRE("linear_combination",
            same_dims(term.x, a.dst) && term.x.dtype == DType::kF32 && term.x.dense(), term.x,
            a.dst);
    OCTET_CHECK(static_cast<std::int64_t>(term.coefficient.size()) == a.dst.dim(0),
                "[linear_combination] %zu coefficients for %s", term.coefficient.size(),
                describe(a.dst).c_str());
  }
  ctx.backend.linear_combination(a);
}

#undef REQUIRE

}  // namespace octet::ops
