#include "support/gguf_bytes.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "tensor/float_formats.h"

namespace octet::test {

void put(Bytes& bytes, std::uint64_t value, int size) {
  for (int i = 0; i < size; ++i) bytes.push_back(static_cast<std::byte>(value >> 8 * i));
}

void put(Bytes& bytes, const std::string& text) {
  put(bytes, text.size(), 8);
  const Bytes more = bytes_of(text);
  bytes.insert(bytes.end(), more.begin(), more.end());
}

Bytes gguf_number(std::uint64_t value, int size) {
  Bytes bytes;
  put(bytes, value, size);
  return bytes;
}

Bytes gguf_text(const std::string& text) {
  Bytes bytes;
  put(bytes, text);
  return bytes;
}

Bytes gguf_entry(const std::string& key, std::uint32_t type, const Bytes& value) {
  Bytes bytes = gguf_text(key);
  put(bytes, type, 4);
  bytes.insert(bytes.end(), value.begin(), value.end());
  return bytes;
}

Bytes gguf_of(const GgufParts& parts) {
  Bytes bytes;
  put(bytes, parts.magic, 4);
  put(bytes, parts.version, 4);
  put(bytes, parts.infos.size(), 8);
  put(bytes, parts.entries.size(), 8);
  for (const Bytes& entry : parts.entries) bytes.insert(bytes.end(), entry.begin(), entry.end());
  for (const GgufInfo& info : parts.infos) {
    put(bytes, info.name);
    put(bytes, info.dims.size(), 4);
    for (const std::uint64_t d : info.dims) put(bytes, d, 8);
    put(bytes, info.type, 4);
    put(bytes, info.offset, 8);
  }
  while (parts.pad_header && bytes.size() % parts.alignment != 0) bytes.push_back({});
  bytes.resize(bytes.size() + parts.data, std::byte{1});
  return bytes;
}

namespace {

constexpr std::uint32_t kF32 = 0, kF16 = 1, kQ8_0 = 8;  // element types
constexpr std::size_t kBlock = 32;
constexpr float kStep = 0x1p-8f;

Bytes as_q8(const std::vector<float>& values) {
  Bytes bytes;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i % kBlock == 0) put(bytes, f32_to_f16(kStep), 2);
    put(bytes, static_cast<std::uint64_t>(static_cast<std::int64_t>(values[i] / kStep)), 1);
  }
  return bytes;
}

// The bytes of a tensor and their type.
std::pair<std::uint32_t, Bytes> encoded(const TestTensor& t) {
  if (t.dims.size() != 2) return {kF32, t.data};
  std::vector<float> values(t.data.size() / sizeof(float));
  std::memcpy(values.data(), t.data.data(), t.data.size());
  const bool blocks = static_cast<std::size_t>(t.dims[1]) % kBlock == 0 &&
                      std::all_of(values.begin(), values.end(), [](float v) {
                        return std::fabs(v) < 127 * kStep && std::fmod(v, kStep) == 0;
                      });
  if (blocks) return {kQ8_0, as_q8(values)};
  return {kF16, tensor_of(t.dims, values, DType::kF16).data};
}

}  // namespace

Bytes gguf_file(const TensorMap& tensors) {
  GgufParts parts{.entries = {gguf_entry("general.architecture", 8, gguf_text("sd3"))}};
  Bytes data;
  for (const auto& [name, tensor] : tensors) {
    auto [type, bytes] = encoded(tensor);
    std::vector<std::uint64_t> dims(tensor.dims.rbegin(), tensor.dims.rend());
    parts.infos.push_back({name, std::move(dims), type, data.size()});
    data.insert(data.end(), bytes.begin(), bytes.end());
    while (data.size() % parts.alignment != 0) data.push_back({});
  }
  Bytes file = gguf_of(parts);
  file.insert(file.end(), data.begin(), data.end());
  return file;
}

}  // namespace octet::test
