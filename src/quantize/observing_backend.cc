#include "quantize/observing_backend.h"

#include <cmath>
#include <limits>

#include "backend/ops_checked.h"
#include "base/check.h"
#include "model/layers.h"
#include "quantize/layer_roles.h"
#include "tensor/float_formats.h"

namespace octet {
namespace {

constexpr std::int64_t kSampleRows = 64;  // of each layer, all calls together

// A well mixed number for the n-th sample (Steele, Lea, Flood: SplitMix64).
std::uint64_t mixed(std::uint64_t n) {
  std::uint64_t z = (n + 1) * 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

// Row `index` of a view whose last dimension is dense, as FP32.
std::span<const float> row_of(const Tensor& t, std::int64_t index, std::vector<float>& scratch) {
  std::int64_t offset = 0;
  for (int axis = t.rank - 2; axis >= 0; --axis) {
    offset += index % t.dim(axis) * t.stride(axis);
    index /= t.dim(axis);
  }
  const auto width = static_cast<std::size_t>(t.dim(-1));
  const auto* bytes =
      t.as<const std::byte>() + offset * static_cast<std::int64_t>(size_of(t.dtype));
  if (t.dtype == DType::kF32) return {reinterpret_cast<const float*>(bytes), width};
  scratch.resize(width);
  decode_to_f32(t.dtype, bytes, scratch.data(), width);
  return scratch;
}

void append(std::vector<float>& to, std::span<const float> values) {
  to.insert(to.end(), values.begin(), values.end());
}

}  // namespace

void ObservingBackend::start(std::int64_t calls) {
  calls_ = calls;
  for (auto& [name, layer] : layers_) layer = {.weight = layer.weight, .limit = layer.limit};
}

Weight ObservingBackend::prepare(const HostWeight& host, Compute compute) {
  Weight weight = inner_->prepare(host, compute);
  const auto known = names_.find(host.name);
  const std::string& tensor = known == names_.end() ? host.name : known->second;
  if (role_of(tensor, host.dims) == LayerRole::kBlockLinear) {
    const std::string name = layer_of(tensor);
    ObservedLayer& layer = layers_[name];
    layer.weight = weight;
    by_weight_[weight.packed.get()] = {name, &layer};
  }
  return weight;
}

void ObservingBackend::linear(const LinearArgs& a) {
  inner_->linear(a);
  const auto it = by_weight_.find(a.weight->packed.get());
  if (calls_ == 0 || it == by_weight_.end() || is_fp8(a.x.data.dtype)) return;
  inner_->synchronize();
  observe_inputs(it->second, a.x.data);
  sample(*it->second.layer, a);
}

void ObservingBackend::observe_inputs(const Entry& entry, const Tensor& x) {
  ObservedLayer& layer = *entry.layer;
  std::vector<float> scratch;
  for (std::int64_t r = 0; r < x.rows(); ++r) {
    const std::span<const float> row = row_of(x, r, scratch);
    if (!layer.inputs.add(row)) {
      throw Error(Code::kInternal, entry.name + ": expected finite inputs, found NaN or infinity");
    }
    if (!layer.limit) continue;
    for (const float v : row) layer.beyond += std::fabs(v) > *layer.limit ? 1 : 0;
  }
}

void ObservingBackend::sample(ObservedLayer& layer, const LinearArgs& a) const {
  layer.act = a.act;
  const std::int64_t call = layer.calls++;
  if (call >= calls_) return;
  const std::int64_t rows = a.x.data.rows();
  std::vector<float> scratch;
  for (std::int64_t n = call * kSampleRows / calls_; n < (call + 1) * kSampleRows / calls_; ++n) {
    const auto row = static_cast<std::int64_t>(mixed(static_cast<std::uint64_t>(n)) %
                                               static_cast<std::uint64_t>(rows));
    append(layer.samples.x, row_of(a.x.data, row, scratch));
    append(layer.samples.y, row_of(a.dst.data, row, scratch));
    ++layer.samples.rows;
  }
}

double output_error(Backend& backend, const Weight& weight, Act act, const LayerSamples& s) {
  OCTET_CHECK(s.rows > 0, "%s", "a layer without samples");
  const auto host = std::as_bytes(std::span(s.x));
  constexpr std::size_t kSlack = 4096;  // alignment of four tensors
  Arena arena(backend.allocate(2 * host.size() + s.y.size() * sizeof(float) +
                               static_cast<std::size_t>(s.rows) * sizeof(float) + kSlack));
  const Ctx ctx{backend, arena};
  const Tensor x = arena.tensor(DType::kF32, {s.rows, weight.in});
  backend.upload(x, host);
  const Tensor y = arena.tensor(DType::kF32, {s.rows, weight.out});
  ops::linear(ctx, {.dst = y, .x = as_input(ctx, weight, x), .weight = &weight, .act = act});
  std::vector<float> found(s.y.size());
  backend.download(std::as_writable_bytes(std::span(found)), y);
  double difference = 0;
  double size = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    const double d = static_cast<double>(found[i]) - static_cast<double>(s.y[i]);
    difference += d * d;
    size += static_cast<double>(s.y[i]) * static_cast<double>(s.y[i]);
  }
  if (difference == 0) return 0;
  return size > 0 ? std::sqrt(difference / size) : std::numeric_limits<double>::infinity();
}

}  // namespace octet
