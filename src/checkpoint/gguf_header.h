// The header of a GGUF file: everything before the tensor data, parsed and checked. See gguf.h for
// what is checked and which errors there are.
#pragma once

#include <map>
#include <string>

#include "checkpoint/tensor_file.h"

namespace octet {

struct GgufHeader {
  std::map<std::string, TensorInfo> tensors;  // offsets count from the start of the file
  std::map<std::string, std::string> metadata;
};

[[nodiscard]] GgufHeader read_gguf_header(const ByteSource& source);

}  // namespace octet
