// libFuzzer target: a component's weights, with scales and metadata in whichever layout they say.
// The input is a safetensors header; the first byte is the value of all data behind it. Every
// tensor is asked for as a model would ask, by its own shape.
#include <cstddef>
#include <cstdint>
#include <string>

#include "checkpoint/weight_reader.h"
#include "octet/error.h"

namespace {

// The data that the header asks for: the largest end of a "data_offsets":[a,b].
std::size_t data_bytes(const std::string& header) {
  std::size_t end = 0;
  for (std::size_t at = 0; (at = header.find("data_offsets\":[", at)) != std::string::npos;) {
    at = header.find(',', at);
    if (at == std::string::npos) break;
    end = std::max<std::size_t>(end, std::strtoul(header.c_str() + at + 1, nullptr, 10));
  }
  return std::min<std::size_t>(end, 4096);
}

std::vector<std::byte> make_file(std::byte value, const std::string& header) {
  std::vector<std::byte> file;
  for (unsigned i = 0; i < 8; ++i) file.push_back(static_cast<std::byte>(header.size() >> (8 * i)));
  for (const char c : header) file.push_back(static_cast<std::byte>(c));
  file.resize(file.size() + data_bytes(header), value);
  return file;
}

void read_all(octet::WeightReader& reader, const octet::TensorFile& file) {
  for (const auto& [name, info] : file.tensors()) {
    const std::string layer = name.substr(0, name.rfind('.'));
    const auto& d = info.dims;
    try {
      if (name.ends_with(".weight") && d.size() == 2) {
        const octet::HostWeight w = reader.linear(layer, d[0], d[1], reader.has(layer + ".bias"));
        const auto bytes = static_cast<std::size_t>(d[0] * d[1]) * octet::size_of(w.dtype);
        if (w.data.size() != bytes) __builtin_trap();
      } else if (d.size() == 1 && d[0] > 0) {
        if (reader.vector(name, d[0]).size() != static_cast<std::size_t>(d[0])) __builtin_trap();
      } else if (d.size() == 2) {
        (void)reader.table(name, d);
      }
    } catch (const octet::Error&) {
      // the expected answer; the next tensor may be sound
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  const std::string header(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::vector<std::byte> file = make_file(std::byte{data[0]}, header);
  try {
    for (const octet::Values values : {octet::Values::kRead, octet::Values::kShapes}) {
      const auto opened = octet::open_tensor_file(octet::open_memory("fuzz", file));
      octet::WeightReader reader("transformer", {opened}, values);
      if (values == octet::Values::kRead) read_all(reader, *opened);
      (void)reader.dtype_bytes();
      reader.finish();
    }
  } catch (const octet::Error&) {
    // the expected answer to broken input
  }
  return 0;
}
