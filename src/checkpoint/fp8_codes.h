// What the codes of an FP8 tensor say of the file that they come from.
//
// Codes without their sign ascend with their values; infinity and NaN come last. So the largest
// code of a tensor tells whether it holds one of these, and whether it fills its range. Looking is
// a maximum over bytes that have just been read: a fraction of what reading them costs.
//
// Internal to src/checkpoint. Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "tensor/dtype.h"

namespace octet {

/// The largest code without its sign; 0 for none.
[[nodiscard]] std::uint8_t largest_code(std::span<const std::byte> codes);
/// Whether such a code is no number. E4M3 (FN) has NaN alone, E5M2 infinity and NaN.
[[nodiscard]] bool is_finite_code(DType fp8, std::uint8_t code);
/// How many codes are no numbers.
[[nodiscard]] std::uint64_t count_not_finite(DType fp8, std::span<const std::byte> codes);

}  // namespace octet
