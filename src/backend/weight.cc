#include "backend/weight.h"

#include <algorithm>

#include "base/check.h"

namespace octet {
namespace {

[[noreturn]] void fail(const HostWeight& w, const std::string& what) {
  throw Error(Code::kModelMismatch, format("%s: %s", excerpt(w.name).c_str(), what.c_str()));
}

std::size_t expected_scales(const HostWeight& w) {
  switch (w.scale_kind) {
    case ScaleKind::kNone:
      return 0;
    case ScaleKind::kTensor:
      return 1;
    case ScaleKind::kRow:
      return static_cast<std::size_t>(w.dims[0]);
    case ScaleKind::kBlock:
      break;
  }
  if (w.block <= 0)
    fail(w, format("expected a positive scale block, found %lld", static_cast<long long>(w.block)));
  const std::int64_t rows = (w.dims[0] + w.block - 1) / w.block;
  const std::int64_t columns = (w.dims[1] + w.block - 1) / w.block;
  return static_cast<std::size_t>(rows * columns);
}

}  // namespace

void check_weight(const HostWeight& w) {
  const bool linear = w.dims.size() == 2;
  if (!linear && (w.dims.size() != 4 || w.dims[2] != w.dims[3])) {
    fail(w, format("expected [out, in] or [out, in, k, k], found %zu dimensions", w.dims.size()));
  }
  if (!is_float(w.dtype)) fail(w, format("expected a float type, found %s", name_of(w.dtype)));
  std::size_t count = 1;
  for (const std::int64_t d : w.dims) {
    if (d <= 0 || d > (std::int64_t{1} << 31)) {
      fail(w, format("expected positive dimensions, found %lld", static_cast<long long>(d)));
    }
    if (__builtin_mul_overflow(count, static_cast<std::size_t>(d), &count)) {
      fail(w, "dimensions overflow");
    }
  }
  const std::size_t bytes = w.deferred.empty() ? w.data.size() : bytes_of(w.deferred);
  if (count > bytes || count * size_of(w.dtype) != bytes) {
    fail(w, format("expected %zu elements of %s, found %zu bytes", count, name_of(w.dtype), bytes));
  }
  if (w.scale.size() != expected_scales(w)) {
    fail(w, format("expected %zu scales, found %zu", expected_scales(w), w.scale.size()));
  }
  if (!linear && w.scale_kind == ScaleKind::kBlock) {
    throw Error(Code::kUnsupported,
                format("%s: block scales on a convolution", excerpt(w.name).c_str()));
  }
  if (!w.bias.empty() && w.bias.size() != static_cast<std::size_t>(w.dims[0])) {
    fail(w, format("expected %lld biases, found %zu", static_cast<long long>(w.dims[0]),
                   w.bias.size()));
  }
}

Compute effective_compute(const HostWeight& w, Compute compute) {
  const bool fp8 = is_fp8(w.dtype);
  if ((compute == Compute::kW8A16 || compute == Compute::kFP8) && !fp8) return Compute::kBF16;
  if (compute == Compute::kFP8 && w.dims.size() == 4) return Compute::kW8A16;
  return compute;
}

const char* name_of(Compute compute) {
  switch (compute) {
    case Compute::kF32:
      return "f32";
    case Compute::kBF16:
      return "bf16";
    case Compute::kW8A16:
      return "w8a16";
    case Compute::kFP8:
      return "fp8";
  }
  return "?";
}

std::size_t bytes_of(const Deferred& deferred) {
  std::size_t bytes = 0;
  for (const auto& part : deferred) {
    bytes += static_cast<std::size_t>(part->rows()) * part->row_bytes();
  }
  return bytes;
}

std::vector<std::byte> read_all(const Deferred& deferred) {
  std::vector<std::byte> bytes(bytes_of(deferred));
  read_into(deferred, bytes);
  return bytes;
}

void read_into(const Deferred& deferred, std::span<std::byte> destination) {
  for (const auto& part : deferred) {
    const std::size_t bytes = static_cast<std::size_t>(part->rows()) * part->row_bytes();
    part->read(0, part->rows(), destination.first(bytes));
    destination = destination.subspan(bytes);
  }
}

void read_rows(const Deferred& deferred, std::int64_t first, std::int64_t count,
               std::span<std::byte> destination) {
  for (const auto& part : deferred) {
    const std::int64_t rows = std::min(part->rows() - first, count);
    if (rows > 0) {
      const std::size_t bytes = static_cast<std::size_t>(rows) * part->row_bytes();
      part->read(first, rows, destination.first(bytes));
      destination = destination.subspan(bytes);
      count -= rows;
    }
    first = std::max<std::int64_t>(first - part->rows(), 0);
  }
  OCTET_CHECK(count == 0 && destination.empty(), "%lld rows missing",
              static_cast<long long>(count));
}

}  // namespace octet
