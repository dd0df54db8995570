#include "support/gguf_bytes.h"

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

}  // namespace octet::test
