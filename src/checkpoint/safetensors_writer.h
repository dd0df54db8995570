// Writer of the safetensors format: 8 bytes header length (little endian), a JSON header, data.
//
// The same tensors give the same bytes: names are sorted, the header is padded with spaces so
// that the data begins at a multiple of 8. The file appears whole or not at all.
// Thread-safety: pure functions. Errors: Error(kIo) naming the file; kInternal for a tensor whose
// dimensions and values do not fit each other.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "octet/request.h"

namespace octet {

/// FP32 tensors under their names.
using FloatTensors = std::map<std::string, FloatArray>;

/// The bytes of a file that holds `tensors`.
[[nodiscard]] std::vector<std::byte> safetensors_bytes(const FloatTensors& tensors);

/// Writes such a file atomically.
void write_safetensors(const std::string& path, const FloatTensors& tensors);

}  // namespace octet
