#include "checkpoint/safetensors_writer.h"

#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/atomic_file.h"
#include "base/check.h"

namespace octet {
namespace {

static_assert(std::endian::native == std::endian::little, "values are written as they lie");

constexpr std::size_t kAlignment = 8;

std::size_t byte_count(const std::string& name, const TensorEntry& tensor) {
  std::uint64_t bytes = size_of(tensor.dtype);
  for (const std::int64_t dim : tensor.dims) {
    OCTET_CHECK(dim >= 0, "%s", name.c_str());
    bytes *= static_cast<std::uint64_t>(dim);
  }
  return bytes;
}

std::vector<TensorEntry> entries_of(const FloatTensors& tensors) {
  std::vector<TensorEntry> entries;
  for (const auto& [name, tensor] : tensors) {
    entries.push_back({.name = name, .dtype = DType::kF32, .dims = tensor.dims});
    OCTET_CHECK(byte_count(name, entries.back()) == tensor.values.size() * sizeof(float),
                "%s: %zu values for %zu dimensions", name.c_str(), tensor.values.size(),
                tensor.dims.size());
  }
  return entries;
}

/// Copies `bytes` behind what was written before; `at` moves on.
void put(std::vector<std::byte>& out, std::size_t& at, const void* from, std::size_t bytes) {
  OCTET_CHECK(bytes <= out.size() - at, "%zu bytes at %zu of %zu", bytes, at, out.size());
  if (bytes > 0) std::memcpy(out.data() + at, from, bytes);
  at += bytes;
}

}  // namespace

std::string safetensors_header(std::span<const TensorEntry> tensors,
                               const std::map<std::string, std::string>& metadata,
                               std::size_t least) {
  auto header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::size_t offset = 0;
  for (const TensorEntry& t : tensors) {
    const std::size_t end = offset + byte_count(t.name, t);
    header[t.name] = {
        {"dtype", safetensors_name(t.dtype)}, {"shape", t.dims}, {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = header.dump();
  if (text.size() < least) text.append(least - text.size(), ' ');
  text.append((kAlignment - text.size() % kAlignment) % kAlignment, ' ');
  const std::uint64_t length = text.size();
  std::string out(sizeof length, '\0');
  std::memcpy(out.data(), &length, sizeof length);
  return out + text;
}

std::vector<std::byte> safetensors_bytes(const FloatTensors& tensors) {
  const std::string header = safetensors_header(entries_of(tensors), {});
  std::size_t total = header.size();
  for (const auto& [name, tensor] : tensors) total += tensor.values.size() * sizeof(float);
  std::vector<std::byte> out(total);
  std::size_t at = 0;
  put(out, at, header.data(), header.size());
  for (const auto& [name, tensor] : tensors) {
    put(out, at, tensor.values.data(), tensor.values.size() * sizeof(float));
  }
  return out;
}

void write_safetensors(const std::string& path, const FloatTensors& tensors) {
  write_file_atomically(path, safetensors_bytes(tensors));
}

}  // namespace octet
