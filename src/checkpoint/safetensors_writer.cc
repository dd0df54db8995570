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

std::size_t byte_count(const std::string& name, const FloatArray& tensor) {
  std::uint64_t values = 1;
  for (const std::int64_t dim : tensor.dims) {
    OCTET_CHECK(dim >= 0, "%s", name.c_str());
    values *= static_cast<std::uint64_t>(dim);
  }
  OCTET_CHECK(values == tensor.values.size(), "%s: %zu values for %zu dimensions", name.c_str(),
              tensor.values.size(), tensor.dims.size());
  return tensor.values.size() * sizeof(float);
}

std::string header_text(const FloatTensors& tensors) {
  auto header = nlohmann::ordered_json::object();
  std::size_t offset = 0;
  for (const auto& [name, tensor] : tensors) {
    const std::size_t end = offset + byte_count(name, tensor);
    header[name] = {{"dtype", "F32"}, {"shape", tensor.dims}, {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = header.dump();
  text.append((kAlignment - text.size() % kAlignment) % kAlignment, ' ');
  return text;
}

/// Copies `bytes` behind what was written before; `at` moves on.
void put(std::vector<std::byte>& out, std::size_t& at, const void* from, std::size_t bytes) {
  OCTET_CHECK(bytes <= out.size() - at, "%zu bytes at %zu of %zu", bytes, at, out.size());
  if (bytes > 0) std::memcpy(out.data() + at, from, bytes);
  at += bytes;
}

}  // namespace

std::vector<std::byte> safetensors_bytes(const FloatTensors& tensors) {
  const std::string header = header_text(tensors);
  std::size_t total = sizeof(std::uint64_t) + header.size();
  for (const auto& [name, tensor] : tensors) total += tensor.values.size() * sizeof(float);
  std::vector<std::byte> out(total);
  std::size_t at = 0;
  const std::uint64_t length = header.size();
  put(out, at, &length, sizeof length);
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
