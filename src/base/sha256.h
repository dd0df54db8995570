// SHA-256 (FIPS 180-4), for model digests and test vectors. The processor's own SHA instructions
// are used where it has them (some 2 GB/s on one core, else some 0.4); no allocation.
//
// Thread-safety: a plain value; one object per thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace octet {

class Sha256 {
 public:
  void update(std::span<const std::byte> bytes);
  /// The digest of everything seen so far; the object must not be used afterwards.
  [[nodiscard]] std::array<std::uint8_t, 32> finish();
  /// The same in 64 lower-case hexadecimal digits.
  [[nodiscard]] std::string finish_hex();

 private:
  std::array<std::uint32_t, 8> state_ = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                         0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<std::uint8_t, 64> pending_{};
  std::uint64_t length_ = 0;
};

/// Digest of one piece of memory.
[[nodiscard]] std::string sha256_hex(std::span<const std::byte> bytes);

}  // namespace octet
