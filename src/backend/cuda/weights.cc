// prepare(): from a checkpoint's weight to device memory.
#include <algorithm>
#include <vector>

#include "backend/cuda/cuda_ops.h"
#include "backend/cuda/status.h"
#include "base/check.h"
#include "tensor/float_formats.h"

namespace octet::cuda {
namespace {

constexpr std::size_t kAlignment = 256;

// A scale per block does not fit the FP8 units' scales per row.
Compute device_compute(const HostWeight& w, Compute asked) {
  const Compute compute = effective_compute(w, asked);
  if (compute == Compute::kFP8 && w.scale_kind == ScaleKind::kBlock) return Compute::kW8A16;
  return compute;
}

DType stored_dtype(const HostWeight& w, Compute compute) {
  switch (compute) {
    case Compute::kF32:
      return DType::kF32;
    case Compute::kBF16:
      return DType::kBF16;
    case Compute::kW8A16:
    case Compute::kFP8:
      break;
  }
  return w.dtype;
}

DType input_dtype(Compute compute) {
  if (compute == Compute::kF32) return DType::kF32;
  return compute == Compute::kFP8 ? DType::kF8E4M3 : DType::kBF16;
}

// Places pieces one after the other in one allocation.
class Layout {
 public:
  std::size_t add(std::size_t bytes) {
    const std::size_t at = size_;
    size_ += (bytes + kAlignment - 1) / kAlignment * kAlignment;
    return at;
  }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  std::size_t size_ = 0;
};

template <typename T>
std::span<const std::byte> bytes_of(const std::vector<T>& v) {
  return std::as_bytes(std::span(v));
}

std::vector<std::uint16_t> to_bf16(const std::vector<float>& values) {
  std::vector<std::uint16_t> result(values.size());
  std::transform(values.begin(), values.end(), result.begin(), f32_to_bf16);
  return result;
}

}  // namespace

void CudaBackend::place_weights(const WeightPlaces& places) {
  places_ = places;
  if (places_.resident_bytes != 0) {
    slab_ = std::make_shared<Buffer>(allocate(places_.resident_bytes));
  }
  if (places_.bytes_on_host != 0) host_slab_ = HostSlab(places_.bytes_on_host);
  if (places_.largest_on_host != 0) {
    const std::size_t place = (places_.largest_on_host + kAlignment - 1) / kAlignment * kAlignment;
    ring_ =
        std::make_unique<WeightRing>(stream(), allocate(WeightRing::kPlaces * place), poison_ring_);
  }
}

// One slab for all: the driver gives memory in pieces of 2 MiB, which would waste a good part.
Buffer CudaBackend::allocate_resident(std::size_t bytes) {
  if (!slab_ || slab_used_ + bytes > slab_->size()) return allocate(bytes);
  char* at = static_cast<char*>(slab_->data()) + slab_used_;
  slab_used_ += bytes;
  return Buffer(at, bytes, [slab = slab_](void*) {});
}

// The device reads the few rows that it wants of a table over the bus.
Buffer CudaBackend::allocate_table(std::size_t bytes) {
  return places_.tables_on_host.contains(component_) ? allocate_pinned(bytes) : allocate(bytes);
}

Weight CudaBackend::prepare(const HostWeight& w, Compute asked) {
  check_weight(w);
  Weight result;
  result.out = w.dims[0];
  result.in = w.dims[1];
  result.kernel = w.dims.size() == 4 ? w.dims[2] : 1;
  result.compute = device_compute(w, asked);
  result.stored = stored_dtype(w, result.compute);
  result.input = input_dtype(result.compute);
  if (result.compute == Compute::kFP8) result.input_scale = w.input_scale;

  std::vector<float> row_scale = w.scale_kind == ScaleKind::kRow ? w.scale : std::vector<float>();
  if (w.scale_kind == ScaleKind::kTensor) {
    row_scale.assign(static_cast<std::size_t>(result.out), w.scale[0]);
  } else if (result.compute == Compute::kFP8 && row_scale.empty()) {
    row_scale.assign(static_cast<std::size_t>(result.out), 1.0f);
  }
  const bool blocks = w.scale_kind == ScaleKind::kBlock;
  const std::vector<std::uint16_t> bias16 = to_bf16(w.bias);
  const auto count =
      static_cast<std::size_t>(result.out * result.in * result.kernel * result.kernel);
  Layout layout;
  const std::size_t codes = layout.add(count * size_of(result.stored));
  const std::size_t rows = layout.add(row_scale.size() * sizeof(float));
  const std::size_t block = layout.add(blocks ? w.scale.size() * sizeof(float) : 0);
  const std::size_t bias = layout.add(w.bias.size() * sizeof(float));
  const std::size_t half = layout.add(bias16.size() * sizeof(std::uint16_t));

  auto packed = std::make_shared<PackedCudaWeight>();
  const bool waits = places_.on_host.contains(component_ + "/" + w.name);
  packed->memory = waits ? host_slab_.take(layout.size()) : allocate_resident(layout.size());
  char* base = static_cast<char*>(packed->memory.data());
  if (waits) {
    packed->in_ring = ring_->add(base, layout.size());
    base = ring_->bench();
  }
  const auto put = [&](std::size_t at, std::span<const std::byte> bytes) -> const void* {
    if (bytes.empty()) return nullptr;
    check(cudaMemcpyAsync(base + at, bytes.data(), bytes.size(), cudaMemcpyHostToDevice, stream()),
          "uploading a weight");
    return base + at;
  };
  packed->codes = base + codes;
  packed->stored = result.stored;
  packed->out = result.out;
  packed->in = result.in;
  packed->window = result.kernel * result.kernel;
  packed->row_scale = static_cast<const float*>(put(rows, bytes_of(row_scale)));
  packed->block_scale = blocks ? static_cast<const float*>(put(block, bytes_of(w.scale))) : nullptr;
  packed->block = blocks ? w.block : 0;
  packed->per_tensor = w.scale_kind == ScaleKind::kNone || w.scale_kind == ScaleKind::kTensor;
  packed->tensor_scale = w.scale_kind == ScaleKind::kTensor ? w.scale[0] : 1.0f;
  packed->bias = static_cast<const float*>(put(bias, bytes_of(w.bias)));
  packed->bias16 = put(half, bytes_of(bias16));

  const auto write_codes = [&](void* dst) {
    if (!w.deferred.empty()) return uploader_->write(dst, w.deferred);
    check(cudaMemcpyAsync(dst, w.data.data(), w.data.size(), cudaMemcpyHostToDevice, stream()),
          "uploading a weight");
  };
  const bool same = result.stored == w.dtype;
  if (same && packed->window == 1) {
    write_codes(base + codes);
  } else {
    const Buffer raw = allocate(count * size_of(w.dtype));
    write_codes(raw.data());
    pack_weight(stream(), {.dst = base + codes,
                           .dst_dtype = result.stored,
                           .src = raw.data(),
                           .src_dtype = w.dtype,
                           .out = packed->out,
                           .in = packed->in,
                           .window = packed->window,
                           .row_scale = same ? nullptr : packed->row_scale,
                           .block_scale = same ? nullptr : packed->block_scale,
                           .block = packed->block});
    launched("packing a weight");
    synchronize();  // before `raw` goes
    if (!same) {    // the codes are true values now
      packed->row_scale = packed->block_scale = nullptr;
      packed->per_tensor = true;
      packed->tensor_scale = 1;
    }
  }
  if (waits) {
    check(cudaMemcpyAsync(packed->memory.data(), base, layout.size(), cudaMemcpyDeviceToHost,
                          stream()),
          "taking a weight to the host");
    static_cast<WeightParts&>(*packed) = packed->moved(base, packed->memory.data());
  }
  synchronize();  // the sources are the caller's
  result.bytes = layout.size();
  result.packed = std::move(packed);
  return result;
}

}  // namespace octet::cuda
