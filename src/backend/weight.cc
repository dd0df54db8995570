#include "backend/weight.h"

namespace octet {

const char* name_of(Compute compute) {
  switch (compute) {
    case Compute::kF32:
      return "f32";
    case Compute::kBF16:
      return "bf16";
    case Compute::kW8A16:
      return "w8a16";
    case Compute::kFP8:
      return "fp8";
  }
  return "?";
}

std::size_t bytes_of(const Deferred& deferred) {
  std::size_t bytes = 0;
  for (const auto& part : deferred) {
    bytes += static_cast<std::size_t>(part->rows()) * part->row_bytes();
  }
  return bytes;
}

std::vector<std::byte> read_all(const Deferred& deferred) {
  std::vector<std::byte> bytes(bytes_of(deferred));
  std::size_t begin = 0;
  for (const auto& part : deferred) {
    const std::size_t count = static_cast<std::size_t>(part->rows()) * part->row_bytes();
    part->read(0, part->rows(), std::span(bytes).subspan(begin, count));
    begin += count;
  }
  return bytes;
}

}  // namespace octet
