// Scalar conversions between FP32 and the short formats: BF16, FP16, E4M3 (the "FN" form: no
// infinity, NaN 0x7F/0xFF, largest 448) and E5M2 (IEEE-like, largest finite 57344).
//
// Decoding is exact. Encoding rounds to nearest, ties to even. The FP8 encoders saturate: finite
// values and infinities beyond the range become +-largest, NaN stays NaN (the behaviour of the
// GPU's satfinite conversion). Format: OCP "8-bit Floating Point Specification" 1.0.
#pragma once

#include <cstdint>
#include <vector>

#include "tensor/dtype.h"

namespace octet {

inline constexpr float kE4M3Max = 448.0f;
inline constexpr float kE5M2Max = 57344.0f;

[[nodiscard]] float bf16_to_f32(std::uint16_t bits);
[[nodiscard]] std::uint16_t f32_to_bf16(float value);
[[nodiscard]] float f16_to_f32(std::uint16_t bits);
[[nodiscard]] std::uint16_t f32_to_f16(float value);
[[nodiscard]] float e4m3_to_f32(std::uint8_t bits);
[[nodiscard]] std::uint8_t f32_to_e4m3(float value);
[[nodiscard]] float e5m2_to_f32(std::uint8_t bits);
[[nodiscard]] std::uint8_t f32_to_e5m2(float value);

/// Decodes `count` elements of any float dtype at `source` into FP32 at `destination`.
void decode_to_f32(DType dtype, const void* source, float* destination, std::size_t count);
/// Encodes FP32 values into any float dtype.
void encode_from_f32(DType dtype, const float* source, void* destination, std::size_t count);

}  // namespace octet
