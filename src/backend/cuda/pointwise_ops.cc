// Ops that are one kernel launch: from Args to plain views.
#include <algorithm>

#include "backend/cuda/cuda_ops.h"
#include "base/check.h"

namespace octet::cuda {

View view_of(const Tensor& t) {
  View v;
  v.data = t.data;
  v.dtype = t.dtype;
  const int lead = kMaxRank - t.rank;
  for (int i = 0; i < t.rank; ++i) {
    v.dims[lead + i] = t.dims[static_cast<std::size_t>(i)];
    v.strides[lead + i] = t.strides[static_cast<std::size_t>(i)];
  }
  if (t.rank == 0) v.strides[kMaxRank - 1] = 1;
  return v;
}

RowView rows_of(const Tensor& t) {
  RowView v;
  if (!t) return v;
  v.data = t.data;
  v.dtype = t.dtype;
  v.rows = t.rows();
  v.columns = t.dim(-1);
  // From the inside out: dimensions that continue each other become one.
  std::array<std::int64_t, 2> counts = {1, 1};
  std::array<std::int64_t, 2> strides = {0, 0};
  std::size_t level = 0;
  bool empty = true;
  for (int i = t.rank - 2; i >= 0; --i) {
    const std::int64_t count = t.dim(i);
    const std::int64_t stride = t.stride(i);
    if (count == 1) continue;
    if (!empty && stride == counts[level] * strides[level]) {
      counts[level] *= count;
      continue;
    }
    if (!empty) ++level;
    OCTET_CHECK(level < 2, "[rows] %s has three strides", describe(t).c_str());
    counts[level] = count;
    strides[level] = stride;
    empty = false;
  }
  v.inner = counts[0];
  v.inner_stride = strides[0];
  v.outer_stride = strides[1];
  return v;
}

RowOutput output_of(const Activation& a) {
  return {.rows = rows_of(a.data),
          .scale = a.scale.as<float>(),
          .fixed_scale = a.scale && a.scale.rank == 0};
}

void CudaBackend::copy(const CopyArgs& a) {
  cuda::copy(stream(), view_of(a.dst), view_of(a.src));
  launched("copy");
}

void CudaBackend::fill(const FillArgs& a) {
  cuda::fill(stream(), view_of(a.dst), a.value);
  launched("fill");
}

void CudaBackend::to_u8(const ToU8Args& a) {
  cuda::to_u8(stream(), a.dst.as<std::uint8_t>(), view_of(a.src),
              a.rounding == Rounding::kTruncate);
  launched("to_u8");
}

void CudaBackend::embed_tokens(const EmbedTokensArgs& a) {
  cuda::embed_tokens(stream(), rows_of(a.dst), a.ids.as<std::int32_t>(), view_of(a.table),
                     a.positions ? view_of(a.positions) : View{}, a.dst.dim(1));
  launched("embed_tokens");
}

void CudaBackend::timestep_embedding(const TimestepEmbeddingArgs& a) {
  cuda::timestep_embedding(stream(), view_of(a.dst), a.timesteps.as<float>());
  launched("timestep_embedding");
}

void CudaBackend::patchify(const PatchifyArgs& a) {
  cuda::patchify(stream(), view_of(a.dst), view_of(a.src), a.patch);
  launched("patchify");
}

void CudaBackend::unpatchify(const UnpatchifyArgs& a) {
  cuda::unpatchify(stream(), view_of(a.dst), view_of(a.src), a.patch);
  launched("unpatchify");
}

void CudaBackend::add_position_crop(const AddPositionCropArgs& a) {
  cuda::add_position_crop(stream(), view_of(a.x), view_of(a.table), a.height, a.width);
  launched("add_position_crop");
}

void CudaBackend::relative_position_bias(const RelativePositionBiasArgs& a) {
  cuda::relative_position_bias(stream(), view_of(a.dst), view_of(a.table), a.max_distance);
  launched("relative_position_bias");
}

void CudaBackend::quantize_fp8(const QuantizeFp8Args& a) {
  cuda::pointwise(stream(), {output_of(a.dst), rows_of(a.src), {}, Act::kNone});
  launched("quantize_fp8");
}

void CudaBackend::layer_norm(const LayerNormArgs& a) {
  cuda::layer_norm(
      stream(), {output_of(a.dst), rows_of(a.x), a.weight.as<float>(), a.bias.as<float>(), a.eps});
  launched("layer_norm");
}

void CudaBackend::layer_norm_modulate(const LayerNormModulateArgs& a) {
  ModulateRows m{};
  if (a.dst.data) m.dst = output_of(a.dst);
  m.x = rows_of(a.x);
  for (std::size_t i = 0; i < a.branches.size(); ++i) {
    const GatedBranch& branch = a.branches[i];
    if (!branch.value) continue;
    m.value[i] = rows_of(branch.value);
    m.gate[i] = branch.gate.as<float>();
    m.gate_stride[i] = branch.gate.stride(0);
  }
  m.shift = a.shift.as<float>();
  m.scale = a.scale.as<float>();
  m.shift_stride = a.shift ? a.shift.stride(0) : 0;
  m.scale_stride = a.scale ? a.scale.stride(0) : 0;
  m.tokens = a.x.dim(1);
  m.eps = a.eps;
  cuda::layer_norm_modulate(stream(), m);
  launched("layer_norm_modulate");
}

void CudaBackend::rms_norm(const RmsNormArgs& a) {
  cuda::rms_norm(stream(), {output_of(a.dst), rows_of(a.x), a.weight.as<float>(), nullptr, a.eps});
  launched("rms_norm");
}

void CudaBackend::qk_norm(const QkNormArgs& a) {
  cuda::qk_norm(stream(), view_of(a.x), a.weight.as<float>(), a.eps);
  launched("qk_norm");
}

void CudaBackend::group_norm(const GroupNormArgs& a) {
  const std::int64_t floats = group_norm_scratch(a.x.dim(0), a.x.dim(1) * a.x.dim(2), a.x.dim(3));
  auto* memory =
      static_cast<float*>(scratch(Slot::kNorm, static_cast<std::size_t>(floats) * sizeof(float)));
  cuda::group_norm(stream(), {view_of(a.dst), view_of(a.x), a.weight.as<float>(),
                              a.bias.as<float>(), a.groups, a.eps, a.silu, memory});
  launched("group_norm");
}

void CudaBackend::activation(const ActivationArgs& a) {
  cuda::pointwise(stream(), {output_of(a.dst), rows_of(a.x), {}, a.act});
  launched("activation");
}

void CudaBackend::gated_gelu(const GatedGeluArgs& a) {
  cuda::gated_gelu(stream(), {output_of(a.dst), rows_of(a.gate), rows_of(a.up)});
  launched("gated_gelu");
}

void CudaBackend::add(const AddArgs& a) {
  cuda::add(stream(), view_of(a.dst), view_of(a.a), view_of(a.b));
  launched("add");
}

void CudaBackend::scale_shift(const ScaleShiftArgs& a) {
  cuda::scale_shift(stream(), view_of(a.dst), view_of(a.x), a.scale, a.shift);
  launched("scale_shift");
}

// Coefficients travel in the kernel's arguments, so a large batch takes several launches.
void CudaBackend::linear_combination(const LinearCombinationArgs& a) {
  const std::int64_t rows = a.dst.dim(0);
  const std::int64_t size = rows == 0 ? 0 : a.dst.numel() / rows;
  for (std::int64_t begin = 0; begin < rows; begin += kMaxCombined) {
    const std::int64_t count = std::min<std::int64_t>(kMaxCombined, rows - begin);
    Combination c{};
    c.dst = a.dst.as<float>() + begin * size;
    c.rows = count;
    c.size = size;
    for (std::size_t t = 0; t < a.terms.size(); ++t) {
      if (!a.terms[t].x) continue;
      c.x[t] = a.terms[t].x.as<float>() + begin * size;
      std::copy_n(a.terms[t].coefficient.begin() + begin, count, c.c[t]);
    }
    cuda::linear_combination(stream(), c);
  }
  launched("linear_combination");
}

}  // namespace octet::cuda
