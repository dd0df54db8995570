#include "backend/profile/op_cost.h"

#include <initializer_list>

#include "base/format.h"

namespace octet {
namespace {

double size(const Tensor& t) { return t ? static_cast<double>(t.bytes()) : 0; }
double size(const Activation& a) { return size(a.data) + size(a.scale); }

double sum(std::initializer_list<double> bytes) {
  double total = 0;
  for (const double b : bytes) total += b;
  return total;
}

long long at(const Tensor& t, int axis) { return static_cast<long long>(t.dim(axis)); }

// An op that is limited by memory.
OpCost moves(const char* op, const Tensor& shape, std::initializer_list<double> bytes) {
  return {.op = op, .shape = describe(shape), .numbers = {}, .flops = 0, .bytes = sum(bytes)};
}

const char* numbers_of(DType input) {
  if (is_fp8(input)) return "fp8";
  return input == DType::kF32 ? "f32" : "bf16";
}

}  // namespace

OpCost cost_of(const CopyArgs& a) { return moves("copy", a.dst, {size(a.dst), size(a.src)}); }
OpCost cost_of(const FillArgs& a) { return moves("fill", a.dst, {size(a.dst)}); }
OpCost cost_of(const ToU8Args& a) { return moves("to_u8", a.dst, {size(a.dst), size(a.src)}); }
OpCost cost_of(const EmbedTokensArgs& a) {
  // Of the table only the rows that are looked up.
  return moves("embed_tokens", a.dst, {size(a.dst), size(a.dst), size(a.ids)});
}
OpCost cost_of(const TimestepEmbeddingArgs& a) {
  return moves("timestep_embedding", a.dst, {size(a.dst), size(a.timesteps)});
}
OpCost cost_of(const PatchifyArgs& a) {
  return moves("patchify", a.dst, {size(a.dst), size(a.src)});
}
OpCost cost_of(const UnpatchifyArgs& a) {
  return moves("unpatchify", a.dst, {size(a.dst), size(a.src)});
}
OpCost cost_of(const AddPositionCropArgs& a) {
  const auto table = static_cast<double>(a.height * a.width * a.x.dim(-1)) *
                     static_cast<double>(size_of(a.table.dtype));
  return moves("add_position_crop", a.x, {2 * size(a.x), table});
}
OpCost cost_of(const RelativePositionBiasArgs& a) {
  return moves("relative_position_bias", a.dst, {size(a.dst), size(a.table)});
}
OpCost cost_of(const QuantizeFp8Args& a) {
  return moves("quantize_fp8", a.src, {size(a.dst), size(a.src)});
}
OpCost cost_of(const LinearArgs& a) {
  const long long rows = static_cast<long long>(a.x.data.rows());
  const auto out = static_cast<long long>(a.weight->out);
  const auto in = static_cast<long long>(a.weight->in);
  const double work = 2.0 * static_cast<double>(rows) * static_cast<double>(out);
  return {.op = "linear",
          .shape = format("%lldx%lld k%lld -> %s%s", rows, out, in, name_of(a.dst.data.dtype),
                          a.act == Act::kNone ? "" : " +act"),
          .numbers = numbers_of(a.weight->input),
          .flops = work * static_cast<double>(in),
          .bytes = sum(
              {size(a.dst), size(a.x), size(a.residual), static_cast<double>(a.weight->bytes)})};
}
OpCost cost_of(const Conv2dArgs& a) {
  const auto window = static_cast<double>(a.weight->kernel * a.weight->kernel);
  const auto taps = window * static_cast<double>(a.weight->in);
  return {.op = "conv2d",
          .shape = format("%s %lldx%lld i%lld k%lld%s", describe(a.dst).c_str(), at(a.x, 1),
                          at(a.x, 2), at(a.x, 3), static_cast<long long>(a.weight->kernel),
                          a.upsample ? " upsample" : ""),
          .numbers = numbers_of(a.weight->input),
          .flops = 2.0 * static_cast<double>(a.dst.numel()) * taps,
          .bytes = sum(
              {size(a.dst), size(a.x), size(a.residual), static_cast<double>(a.weight->bytes)})};
}
OpCost cost_of(const AttentionArgs& a) {
  const double scores = static_cast<double>(a.q.dim(0) * a.q.dim(2)) *
                        static_cast<double>(a.q.dim(1)) * static_cast<double>(a.k.dim(1));
  return {.op = "attention",
          .shape = format("b%lld h%lld q%lld k%lld d%lld -> %s", at(a.q, 0), at(a.q, 2), at(a.q, 1),
                          at(a.k, 1), at(a.q, 3), name_of(a.dst.data.dtype)),
          .numbers = numbers_of(a.q.dtype),
          .flops = 4.0 * scores * static_cast<double>(a.q.dim(3)),
          .bytes = sum({size(a.dst), size(a.q), size(a.k), size(a.v), size(a.bias)})};
}
OpCost cost_of(const LayerNormArgs& a) {
  return moves("layer_norm", a.x, {size(a.dst), size(a.x)});
}
OpCost cost_of(const LayerNormModulateArgs& a) {
  double branches = 0;
  for (const GatedBranch& b : a.branches) branches += size(b.value);
  const double update = branches > 0 ? size(a.x) : 0;
  OpCost cost = moves("layer_norm_modulate", a.x, {size(a.dst), size(a.x), update, branches});
  if (a.dst.data) cost.shape += format(" -> %s", name_of(a.dst.data.dtype));
  if (branches > 0) cost.shape += " +branches";
  return cost;
}
OpCost cost_of(const RmsNormArgs& a) { return moves("rms_norm", a.x, {size(a.dst), size(a.x)}); }
OpCost cost_of(const QkNormArgs& a) { return moves("qk_norm", a.x, {2 * size(a.x)}); }
OpCost cost_of(const GroupNormArgs& a) {
  return moves("group_norm", a.x, {size(a.dst), size(a.x)});
}
OpCost cost_of(const ActivationArgs& a) {
  return moves("activation", a.x, {size(a.dst), size(a.x)});
}
OpCost cost_of(const GatedGeluArgs& a) {
  return moves("gated_gelu", a.gate, {size(a.dst), size(a.gate), size(a.up)});
}
OpCost cost_of(const AddArgs& a) {
  return moves("add", a.dst, {size(a.dst), size(a.a), size(a.b)});
}
OpCost cost_of(const ScaleShiftArgs& a) {
  return moves("scale_shift", a.dst, {size(a.dst), size(a.x)});
}
OpCost cost_of(const LinearCombinationArgs& a) {
  double terms = 0;
  for (const LinearTerm& t : a.terms) terms += size(t.x);
  return moves("linear_combination", a.dst, {size(a.dst), terms});
}

}  // namespace octet
