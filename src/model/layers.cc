#include "model/layers.h"

#include "backend/ops_checked.h"

namespace octet {
namespace {

// By the shape, because a model that is loaded for its shapes alone brings no bytes.
Parameter allocate(Backend& backend, DType dtype, const std::vector<std::int64_t>& dims) {
  std::size_t bytes = size_of(dtype);
  for (const std::int64_t d : dims) bytes *= static_cast<std::size_t>(d);
  const bool table = dims.size() > 1;
  auto memory =
      std::make_shared<Buffer>(table ? backend.allocate_table(bytes) : backend.allocate(bytes));
  Dims d{};
  std::copy(dims.begin(), dims.end(), d.begin());
  return {.value = make_tensor(memory->data(), dtype, static_cast<int>(dims.size()), d),
          .memory = memory};
}

Parameter upload(Backend& backend, DType dtype, const std::vector<std::int64_t>& dims,
                 std::span<const std::byte> bytes) {
  const Parameter p = allocate(backend, dtype, dims);
  backend.upload(p.value, bytes);
  return p;
}

}  // namespace

Weight Loader::prepare(const HostWeight& weight, Compute wanted) const {
  return backend.prepare(weight, weight.wide_inputs.empty() ? wanted : careful);
}

Weight Loader::linear(const std::string& name, std::int64_t out, std::int64_t in, bool bias) const {
  return prepare(weights.linear(name, out, in, bias), compute);
}

Weight Loader::careful_linear(const std::string& name, std::int64_t out, std::int64_t in,
                              bool bias) const {
  return prepare(weights.linear(name, out, in, bias), careful);
}

Weight Loader::stacked(std::initializer_list<std::string> names, std::int64_t out_each,
                       std::int64_t in, bool bias) const {
  return prepare(weights.stacked(names, out_each, in, bias), compute);
}

Weight Loader::conv(const std::string& name, std::int64_t out, std::int64_t in,
                    std::int64_t kernel) const {
  return prepare(weights.conv(name, out, in, kernel), compute);
}

Parameter Loader::vector(const std::string& name, std::int64_t size) const {
  const std::vector<float> values = weights.vector(name, size);
  return upload(backend, DType::kF32, {size}, std::as_bytes(std::span(values)));
}

Parameter Loader::table(const std::string& name, const std::vector<std::int64_t>& dims) const {
  const HostTensor t = weights.table(name, dims);
  if (t.deferred.empty()) return upload(backend, t.dtype, dims, t.data);
  const Parameter p = allocate(backend, t.dtype, dims);
  backend.upload_deferred(p.value, t.deferred);
  return p;
}

Activation input_for(Ctx ctx, const Weight& weight, int rank, const Dims& dims) {
  Activation a(ctx.arena.tensor(weight.input, rank, dims));
  if (!is_fp8(weight.input)) return a;
  if (weight.input_scale) {
    a.scale = ctx.arena.tensor(DType::kF32, {});
    ops::fill(ctx, {.dst = a.scale, .value = *weight.input_scale});
  } else {
    a.scale = ctx.arena.tensor(DType::kF32, rank - 1, dims);
  }
  return a;
}

Activation input_for(Ctx ctx, const Weight& weight, std::initializer_list<std::int64_t> dims) {
  const Tensor shape = make_tensor(nullptr, weight.input, dims);
  return input_for(ctx, weight, shape.rank, shape.dims);
}

Activation as_input(Ctx ctx, const Weight& weight, const Tensor& x) {
  if (x.dtype == weight.input) return x;
  const Activation a = input_for(ctx, weight, x.rank, x.dims);
  if (is_fp8(weight.input)) {
    ops::quantize_fp8(ctx, {.dst = a, .src = x});
  } else {
    ops::copy(ctx, {.dst = a.data, .src = x});
  }
  return a;
}

NormWeights load_norm(const Loader& load, const std::string& name, std::int64_t size) {
  return {.weight = load.vector(name + ".weight", size), .bias = load.vector(name + ".bias", size)};
}

}  // namespace octet
