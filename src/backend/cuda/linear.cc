// linear(): the tuned path where alignment allows it, else the generic kernels.
#include "backend/cuda/cuda_ops.h"
#include "base/check.h"

namespace octet::cuda {
namespace {

bool aligned(const void* p) { return reinterpret_cast<std::uintptr_t>(p) % 16 == 0; }

// cuBLASLt wants whole 16-byte groups at the start of every row.
bool matrix_fits(const RowView& v) {
  if (v.data == nullptr) return true;
  const auto unit = static_cast<std::int64_t>(16 / size_of(v.dtype));
  return aligned(v.data) && v.columns % unit == 0 && v.inner_stride % unit == 0 &&
         v.outer_stride % unit == 0;
}

// Rows of one element of a batch: [batch, tokens, columns], or [batch, columns].
std::int64_t rows_of_one(const Tensor& t) {
  std::int64_t rows = 1;
  for (int axis = 1; axis + 1 < t.rank; ++axis) rows *= t.dim(axis);
  return rows;
}

// What one product leaves to a pass over its rows.
struct Remainder {
  bool needed;
  bool act;  // the activation is part of the pass
};

Remainder remainder_of(const LinearArgs& a, bool fused_gelu) {
  const RowView dst = rows_of(a.dst.data);
  // Several products read their scales per row at addresses that must be multiples of 16.
  const bool apart = a.x.scale && a.x.scale.rank > 0 && dst.inner < dst.rows && dst.inner % 4 != 0;
  const bool act = a.act != Act::kNone && !(a.act == Act::kGeluTanh && fused_gelu);
  const bool residual = a.residual && (a.residual.dtype != a.dst.data.dtype || a.act != Act::kNone);
  return {.needed = is_fp8(a.dst.data.dtype) || act || residual || apart, .act = act};
}

// Whether the product can round its result to FP8 itself, GELU included: with one scale for each of
// x, w and dst.
bool rounds_itself(const LinearArgs& a, ScaleMode scales) {
  return scales == ScaleMode::kScalar && a.dst.data.dtype == DType::kF8E4M3 && a.dst.scale &&
         a.dst.scale.rank == 0 && !a.residual && (a.act == Act::kNone || a.act == Act::kGeluTanh);
}

}  // namespace

void CudaBackend::generic_product(const LinearArgs& a, const WeightParts& w) {
  const bool fp8 = is_fp8(a.dst.data.dtype);
  const Tensor dst = fp8 ? scratch_like(Slot::kProduct, DType::kF32, a.dst.data) : a.dst.data;
  generic_linear(stream(), {.x = rows_of(a.x.data),
                            .x_scale = a.x.scale.as<const float>(),
                            .x_scale_fixed = a.x.scale && a.x.scale.rank == 0,
                            .weight = w.view(),
                            .epilogue = {.dst = {.rows = rows_of(dst)},
                                         .bias = w.bias,
                                         .residual = rows_of(a.residual),
                                         .act = a.act}});
  if (fp8) pointwise(stream(), {output_of(a.dst), rows_of(dst), {}, Act::kNone});
}

// Small and odd shapes are meant for the generic kernel; this one was not.
void CudaBackend::tell_generic(const MatmulShape& s) {
  if (told_generic_) return;
  told_generic_ = true;
  remarks_.push_back(
      format("cuBLASLt %zu has no product of %lldx%lld k%lld in %s on this GPU; a generic kernel, "
             "much slower, takes it and others like it (octet bench --ops shows which)",
             matmul_->version(), static_cast<long long>(s.m), static_cast<long long>(s.n),
             static_cast<long long>(s.k), name_of(s.x)));
}

void CudaBackend::linear(const LinearArgs& a) {
  const auto& w = static_cast<const PackedCudaWeight&>(*a.weight->packed);
  if (a.x.data.rows() == 0) return;
  const bool waits = w.in_ring >= 0;
  const WeightParts here = waits ? w.moved(w.memory.data(), ring_->bring(w.in_ring))
                                 : static_cast<const WeightParts&>(w);
  product_ = "cublasLt";
  if (!tuned_linear(a, here)) {
    product_ = "generic";
    generic_product(a, here);
  }
  if (waits) ring_->used();
  launched("linear");
}

// Rows whose leading dimensions need two strides are several products.
void CudaBackend::product_rows(const LinearArgs& a, const MatmulShape& shape,
                               const MatmulOperands& operands) {
  const auto at = [](const void* p, DType dtype, std::int64_t elements) {
    return static_cast<const char*>(p) + elements * static_cast<std::int64_t>(size_of(dtype));
  };
  const RowView x = rows_of(a.x.data);
  const RowView dst = rows_of(a.dst.data);
  const RowView addend = rows_of(a.residual);
  const std::int64_t parts = x.rows / shape.m;
  void* spare = nullptr;  // where the output is its own addend, it cannot be written for timing
  if (operands.addend == operands.dst && matmul_->wants_timing(shape)) {
    spare =
        scratch(Slot::kTiming, static_cast<std::size_t>(shape.m * shape.n) * size_of(shape.dst));
  }
  for (std::int64_t part = 0; part < parts; ++part) {
    MatmulOperands o = operands;
    const std::int64_t row = part * shape.m;
    const auto start = [row](const RowView& v) {
      return row / v.inner * v.outer_stride + row % v.inner * v.inner_stride;
    };
    o.x = at(operands.x, x.dtype, start(x));
    o.dst = const_cast<char*>(at(operands.dst, dst.dtype, start(dst)));
    if (o.addend != nullptr) o.addend = at(operands.addend, addend.dtype, start(addend));
    if (shape.scales == ScaleMode::kVectors) o.x_scale = operands.x_scale + row;
    matmul_->run(stream(), shape, o, {.timed = true, .spare = spare});
  }
}

bool CudaBackend::tuned_linear(const LinearArgs& a, const WeightParts& w) {
  const Compute compute = a.weight->compute;
  const RowView x = rows_of(a.x.data);
  if (!matrix_fits(x) || !matrix_fits(rows_of(a.dst.data)) || !matrix_fits(rows_of(a.residual)) ||
      w.in % (16 / static_cast<std::int64_t>(
                       size_of(compute == Compute::kW8A16 ? DType::kBF16 : w.stored))) !=
          0 ||
      w.out % 8 != 0) {
    return false;
  }
  MatmulShape shape{.n = w.out, .k = w.in, .x = x.dtype, .w = w.stored};
  if (compute == Compute::kW8A16) shape.w = DType::kBF16;
  shape.bias = w.bias != nullptr;
  // Scales: vectors as soon as one of the two sides has one per row.
  const bool static_x = a.x.scale && a.x.scale.rank == 0;
  if (compute == Compute::kFP8) {
    shape.scales = static_x && w.per_tensor ? ScaleMode::kScalar : ScaleMode::kVectors;
  }

  bool rounds = rounds_itself(a, shape.scales);
  const auto plan = [&](bool fused_gelu) {
    const Remainder rest = rounds ? Remainder{} : remainder_of(a, fused_gelu);
    LinearArgs direct = a;
    if (rest.needed) {
      const bool full = compute == Compute::kF32 || a.dst.data.dtype == DType::kF32;
      // Any address does until it is known that the product will be made.
      direct.dst = make_tensor(workspace_.data(), full ? DType::kF32 : DType::kBF16,
                               a.dst.data.rank, a.dst.data.dims);
      direct.residual = {};
    }
    shape.gelu = a.act == Act::kGeluTanh && !rest.act;
    shape.dst = direct.dst.data.dtype;
    shape.addend = static_cast<bool>(direct.residual);
    const RowView dst = rows_of(direct.dst.data);
    const RowView addend = rows_of(direct.residual);
    shape.m = x.rows;  // the largest run of rows that one stride reaches in every operand
    for (const RowView& v : {x, dst, addend}) {
      if (v.data == nullptr) continue;
      if (v.inner < v.rows && v.outer_stride != v.inner * v.inner_stride) {
        shape.m = std::min(shape.m, v.inner);
      }
    }
    // The choice of an algorithm, and so the order of sums, depends on the rows of a product. In
    // FP32 each element of a batch has products of its own: what comes of it is what comes of it
    // alone.
    if (compute == Compute::kF32) shape.m = std::min(shape.m, rows_of_one(a.x.data));
    const auto stride = [](const RowView& v) { return v.rows <= 1 ? v.columns : v.inner_stride; };
    shape.x_stride = stride(x);
    shape.dst_stride = stride(dst);
    shape.addend_stride = shape.addend ? stride(addend) : 0;
    return direct;
  };
  // GELU inside the product saves a pass unless the pass is needed anyway.
  const bool want_gelu = a.act == Act::kGeluTanh && !is_fp8(a.dst.data.dtype) && !a.residual &&
                         a.dst.data.dtype == DType::kBF16;
  LinearArgs direct = plan(want_gelu);
  if (rounds && !matmul_->supports(shape)) {
    rounds = false;
    direct = plan(want_gelu);
  }
  if (want_gelu && !matmul_->supports(shape)) direct = plan(false);
  if (!matmul_->supports(shape)) {
    tell_generic(shape);
    return false;
  }

  const Remainder rest = rounds ? Remainder{} : remainder_of(a, shape.gelu);
  if (rest.needed) direct.dst.data.data = scratch(Slot::kProduct, direct.dst.data.bytes());
  MatmulOperands o{.x = a.x.data.data,
                   .w = w.codes,
                   .dst = direct.dst.data.data,
                   .addend = direct.residual.data,
                   .bias = shape.dst == DType::kF32 && !is_fp8(shape.x)
                               ? static_cast<const void*>(w.bias)
                               : w.bias16,
                   .x_scale = a.x.scale.as<const float>(),
                   .w_scale = w.row_scale,
                   .alpha = 1};
  if (shape.scales == ScaleMode::kVectors && static_x) {
    auto* scales = static_cast<float*>(
        scratch(Slot::kScale, static_cast<std::size_t>(x.rows) * sizeof(float)));
    broadcast_scale(stream(), scales, o.x_scale, x.rows);
    o.x_scale = scales;
  }
  if (rounds) {
    auto* codes_of_one = static_cast<float*>(scratch(Slot::kScale, sizeof(float)));
    reciprocal(stream(), codes_of_one, a.dst.scale.as<const float>());
    o.codes_of_one = codes_of_one;
  }
  if (compute == Compute::kW8A16) {
    void* values = scratch(Slot::kWeight, static_cast<std::size_t>(w.out * w.in) * 2);
    dequantise(stream(), values, w.view(), w.in, !w.per_tensor);
    o.w = values;
    o.alpha = w.tensor_scale;
  }
  product_rows(direct, shape, o);
  if (rest.needed) {
    pointwise(stream(), {output_of(a.dst), rows_of(direct.dst.data), rows_of(a.residual),
                         rest.act ? a.act : Act::kNone});
  }
  return true;
}

}  // namespace octet::cuda
