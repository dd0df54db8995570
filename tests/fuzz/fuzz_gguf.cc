// Feeds the GGUF reader hostile files. Nothing but octet::Error with a one-line message may come
// out, and whatever is accepted must lie inside the file and be readable to its last value.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "checkpoint/files.h"
#include "checkpoint/gguf.h"
#include "octet/error.h"

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto file = std::as_bytes(std::span(data, size));
  try {
    const octet::GgufFile reader(octet::open_memory("fuzz.gguf", file));
    for (const auto& [name, tensor] : reader.tensors()) {
      require(name == tensor.name);
      require(tensor.offset <= size && tensor.bytes <= size - tensor.offset);
      if (!tensor.dtype) continue;
      std::uint64_t values = 1;
      for (const std::int64_t d : tensor.dims) values *= static_cast<std::uint64_t>(d);
      require(reader.read(tensor).size() == values * octet::size_of(*tensor.dtype));
    }
  } catch (const octet::Error& error) {
    const std::string message = error.what();
    require(!message.empty() && message.find('\n') == std::string::npos);
    require(message.size() < 2000);
  }
  return 0;
}
