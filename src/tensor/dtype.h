// Element types and their one traits table.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace octet {

enum class DType : std::uint8_t { kF32, kF16, kBF16, kF8E4M3, kF8E5M2, kI32, kU8 };

/// Bytes of one element.
[[nodiscard]] std::size_t size_of(DType dtype);
/// Octet's name: "f32", "f16", "bf16", "f8_e4m3", "f8_e5m2", "i32", "u8".
[[nodiscard]] const char* name_of(DType dtype);
/// The name used in safetensors headers: "F32", "F8_E4M3", ...
[[nodiscard]] const char* safetensors_name(DType dtype);
/// Inverse of safetensors_name; empty for types that Octet does not read.
[[nodiscard]] std::optional<DType> dtype_from_safetensors(std::string_view name);
/// E4M3 or E5M2.
[[nodiscard]] constexpr bool is_fp8(DType dtype) {
  return dtype == DType::kF8E4M3 || dtype == DType::kF8E5M2;
}
/// Any floating-point type.
[[nodiscard]] constexpr bool is_float(DType dtype) {
  return dtype != DType::kI32 && dtype != DType::kU8;
}

}  // namespace octet
