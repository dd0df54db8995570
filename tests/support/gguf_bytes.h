// GGUF files made in memory, right or wrong on purpose.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "support/tensors.h"

namespace octet::test {

/// One tensor info as it stands in the file: dimensions with the fastest first.
struct GgufInfo {
  std::string name;
  std::vector<std::uint64_t> dims;
  std::uint32_t type = 0;
  std::uint64_t offset = 0;
};

/// The parts of a file, in order; each part can be made wrong.
struct GgufParts {
  std::uint32_t magic = 0x46554747;
  std::uint32_t version = 3;
  std::vector<Bytes> entries;  // metadata, from gguf_entry()
  std::vector<GgufInfo> infos;
  std::uint64_t alignment = 32;  // to which the data is padded
  std::size_t data = 0;          // bytes after the header and its padding
  bool pad_header = true;
};

/// Little-endian bytes.
void put(Bytes& bytes, std::uint64_t value, int size);
void put(Bytes& bytes, const std::string& text);  // with its length
/// key, type, then the raw value.
[[nodiscard]] Bytes gguf_entry(const std::string& key, std::uint32_t type, const Bytes& value);
[[nodiscard]] Bytes gguf_number(std::uint64_t value, int size);
[[nodiscard]] Bytes gguf_text(const std::string& text);
[[nodiscard]] Bytes gguf_of(const GgufParts& parts);
/// A right file with F32 tensors: matrices as `matrices` (F16, BF16 or blocks such as Q4_K) where
/// the width fits and all values are up to 7 steps of 2^-6, else F16; all others F32.
[[nodiscard]] Bytes gguf_file(const TensorMap& tensors, const std::string& matrices);

}  // namespace octet::test
