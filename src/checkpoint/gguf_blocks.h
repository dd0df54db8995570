// The element types of GGUF files: how many values a block holds, in how many bytes, and how it is
// decoded to FP32.
//
// Quantised rows are cut into blocks of 32 or 256 values which share FP16 scales; the codes of a
// block are 4 to 8 bit. Decoding multiplies in FP32 in the order of the format's reference, so the
// result is the same to the last bit. Pure functions of constant tables.
// Source: the layouts of ggml's block types, as published with the `gguf` Python package.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "tensor/dtype.h"

namespace octet {

/// One element type. Types with one value per block are plain numbers.
struct GgufType {
  std::uint32_t id;            // as in the file
  const char* name;            // "Q4_0"
  std::uint32_t values;        // of a block
  std::uint32_t bytes;         // of a block
  std::optional<DType> dtype;  // what reading gives; empty: Octet does not read this type
  void (*decode)(const std::uint8_t* block, float* values);  // null: stored as `dtype`
};

/// Null for numbers that name no type.
[[nodiscard]] const GgufType* gguf_type(std::uint32_t id);
[[nodiscard]] const GgufType* gguf_type(std::string_view name);
/// "F32, F16, ..., BF16": the types that can be read.
[[nodiscard]] std::string readable_gguf_types();

/// Decodes whole blocks: values.size() must be blocks * type.values. The type must have `decode`.
void decode_blocks(const GgufType& type, std::span<const std::byte> blocks,
                   std::span<float> values);

}  // namespace octet
