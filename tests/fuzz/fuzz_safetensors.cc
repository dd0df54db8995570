// Feeds the safetensors reader hostile files. The first byte chooses between a whole file as given
// and a header to which the harness adds the right length and some data, so that mutations reach
// the checks behind the length. Nothing but octet::Error with a one-line message may come out, and
// whatever is accepted must be readable to its last byte.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "checkpoint/files.h"
#include "checkpoint/safetensors.h"
#include "octet/error.h"

namespace {

std::vector<std::byte> make_file(const std::uint8_t* data, std::size_t size) {
  std::vector<std::byte> file;
  if (size == 0) return file;
  const bool header_only = (data[0] & 1) != 0;
  const std::size_t tail = header_only ? data[0] / 2u : 0;
  if (header_only) {
    const std::uint64_t length = size - 1;
    for (unsigned i = 0; i < 8; ++i) file.push_back(static_cast<std::byte>(length >> (8 * i)));
  }
  for (std::size_t i = 1; i < size; ++i) file.push_back(static_cast<std::byte>(data[i]));
  file.resize(file.size() + tail, std::byte{0x3C});
  return file;
}

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::vector<std::byte> file = make_file(data, size);
  try {
    const octet::SafetensorsFile reader(octet::open_memory("fuzz.safetensors", file));
    for (const auto& [name, tensor] : reader.tensors()) {
      require(name == tensor.name);
      require(tensor.offset <= file.size() && tensor.bytes <= file.size() - tensor.offset);
      require(reader.read(tensor).size() == tensor.bytes);
    }
  } catch (const octet::Error& error) {
    const std::string message = error.what();
    require(!message.empty() && message.find('\n') == std::string::npos);
    require(message.size() < 2000);
  }
  return 0;
}
