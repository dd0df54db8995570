#include "checkpoint/fp8_codes.h"

#include <algorithm>

namespace octet {
namespace {

constexpr std::uint8_t kMagnitude = 0x7f;

std::uint8_t magnitude(std::byte code) { return std::to_integer<std::uint8_t>(code) & kMagnitude; }

}  // namespace

std::uint8_t largest_code(std::span<const std::byte> codes) {
  std::uint8_t largest = 0;
  for (const std::byte code : codes) largest = std::max(largest, magnitude(code));
  return largest;
}

bool is_finite_code(DType fp8, std::uint8_t code) {
  constexpr std::uint8_t kE4M3NaN = 0x7f, kE5M2Infinity = 0x7c;
  return code < (fp8 == DType::kF8E4M3 ? kE4M3NaN : kE5M2Infinity);
}

std::uint64_t count_not_finite(DType fp8, std::span<const std::byte> codes) {
  return static_cast<std::uint64_t>(std::count_if(codes.begin(), codes.end(), [&](std::byte code) {
    return !is_finite_code(fp8, magnitude(code));
  }));
}

}  // namespace octet
