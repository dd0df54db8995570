// Writer of the safetensors format: 8 bytes header length (little endian), a JSON header, data.
//
// The same tensors give the same bytes: names are sorted, the header is padded with spaces so
// that the data begins at a multiple of 8. The file appears whole or not at all.
// Thread-safety: pure functions. Errors: Error(kIo) naming the file; kInternal for a tensor whose
// dimensions and values do not fit each other.
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "octet/request.h"
#include "tensor/dtype.h"

namespace octet {

/// A tensor of a file to be written, its values to follow in this order.
struct TensorEntry {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<std::int64_t> dims;
};

/// What stands before the values: the length and the JSON header, which is padded to at least
/// `least` bytes so that metadata may be exchanged later without moving the values.
[[nodiscard]] std::string safetensors_header(std::span<const TensorEntry> tensors,
                                             const std::map<std::string, std::string>& metadata,
                                             std::size_t least = 0);

/// FP32 tensors under their names.
using FloatTensors = std::map<std::string, FloatArray>;

/// The bytes of a file that holds `tensors`.
[[nodiscard]] std::vector<std::byte> safetensors_bytes(const FloatTensors& tensors);

/// Writes such a file atomically.
void write_safetensors(const std::string& path, const FloatTensors& tensors);

}  // namespace octet
