// The compression function of SHA-256, once in portable C++ and once with the SHA instructions
// of x86-64 processors. Internal to base; Sha256 takes the fastest one that this processor has.
//
// Formulas: FIPS 180-4, section 6.2.2. Thread-safety: pure functions. Errors: none.
#pragma once

#include <cstddef>
#include <cstdint>

namespace octet {

/// Folds `count` blocks of 64 bytes into the eight words of `state`.
using Sha256Blocks = void (*)(std::uint32_t* state, const std::uint8_t* bytes, std::size_t count);

void sha256_blocks_portable(std::uint32_t* state, const std::uint8_t* bytes, std::size_t count);

/// Null where the processor lacks the instructions.
[[nodiscard]] Sha256Blocks sha256_blocks_native();

/// First 32 bits of the fractional parts of the cube roots of the first 64 primes.
extern const std::uint32_t kSha256Round[64];

}  // namespace octet
