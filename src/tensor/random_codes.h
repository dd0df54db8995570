// Tensors whose values are a formula: normally distributed, the same on every device.
//
//   value(i) = table[mix(i * 0x9E3779B9 + seed) >> 20],   i = row-major index of the element
//   table[k] = dtype(mean + deviation * z[k]),            k < 4096
//   z[k]     = normal quantile of (k + 0.5)/4096, rounded to a multiple of 1/4096
//
// mix is the 32-bit finaliser of MurmurHash3. Only integers decide which code an element gets, so a
// GPU, a CPU and a script agree on every bit without agreeing on any function of libm. The largest
// |z| is 3.67.
//
// Thread-safety: pure functions. Errors: none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "tensor/dtype.h"

namespace octet {

inline constexpr std::size_t kRandomCodes = 4096;
inline constexpr int kRandomShift = 20;  // 32 bits down to 12

/// A tensor of random codes; elements beyond 2^32 repeat.
struct RandomCodes {
  DType dtype = DType::kF32;  // a float type
  float mean = 0;
  float deviation = 1;
  std::uint32_t seed = 0;
};

[[nodiscard]] constexpr std::uint32_t random_index(std::uint32_t seed, std::uint32_t element) {
  std::uint32_t x = element * 0x9E3779B9U + seed;
  x = (x ^ (x >> 16)) * 0x85EBCA6BU;
  x = (x ^ (x >> 13)) * 0xC2B2AE35U;
  return (x ^ (x >> 16)) >> kRandomShift;
}

/// The 4096 codes, in the bytes of `codes.dtype`.
[[nodiscard]] std::vector<std::byte> code_table(const RandomCodes& codes);

/// Bytes [offset, offset + destination.size()) of such a tensor; they need not begin or end with
/// an element.
void fill_random(const RandomCodes& codes, std::uint64_t offset, std::span<std::byte> destination);

}  // namespace octet
