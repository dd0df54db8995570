#include "tensor/float_formats.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstring>

#include "base/check.h"

namespace octet {
namespace {

// Description of a small float format: all encoders and decoders below follow from it.
struct Format {
  int exponent_bits;
  int mantissa_bits;
  int bias;
};
constexpr Format kF16{5, 10, 15};
constexpr Format kE4M3{4, 3, 7};
constexpr Format kE5M2{5, 2, 15};

// Value of a non-negative code, read as if the format had no infinities or NaN.
float magnitude(Format f, std::uint32_t code) {
  const auto exponent = static_cast<int>(code >> f.mantissa_bits);
  const auto mantissa = static_cast<float>(code & ((1u << f.mantissa_bits) - 1));
  const auto one = static_cast<float>(1u << f.mantissa_bits);
  if (exponent == 0) return std::ldexp(mantissa / one, 1 - f.bias);
  return std::ldexp(1.0f + mantissa / one, exponent - f.bias);
}

// Rounds a finite non-negative value to the nearest code, ties to even, without an upper limit:
// the caller decides what a code beyond the largest finite one becomes.
std::uint32_t round_to_code(Format f, float value) {
  if (value == 0.0f) return 0;  // frexp gives zero the exponent of 1/2
  int exponent = 0;
  std::frexp(value, &exponent);  // value = m * 2^exponent, m in [0.5, 1)
  exponent = std::max(exponent - 1, 1 - f.bias);
  const float units = std::ldexp(value, f.mantissa_bits - exponent);
  const auto steps = static_cast<std::uint32_t>(std::nearbyint(units));  // exact below 2^24
  // Subnormals and the smallest normals share one spacing, so the code is a plain sum.
  return steps + (static_cast<std::uint32_t>(exponent - (1 - f.bias)) << f.mantissa_bits);
}

template <Format F, std::size_t Count>
std::array<float, Count> decode_table() {
  std::array<float, Count> table{};
  for (std::uint32_t i = 0; i < Count; ++i) {
    const float value = magnitude(F, i & (Count / 2 - 1));
    table[i] = i < Count / 2 ? value : -value;
  }
  return table;
}

const std::array<float, 256>& e4m3_table() {
  static const auto table = [] {
    auto t = decode_table<kE4M3, 256>();
    t[0x7F] = t[0xFF] = std::nanf("");
    return t;
  }();
  return table;
}

const std::array<float, 256>& e5m2_table() {
  static const auto table = [] {
    auto t = decode_table<kE5M2, 256>();
    for (const std::size_t sign : {0x00u, 0x80u}) {
      t[sign | 0x7C] = sign == 0 ? INFINITY : -INFINITY;
      for (std::size_t nan = 0x7D; nan <= 0x7F; ++nan) t[sign | nan] = std::nanf("");
    }
    return t;
  }();
  return table;
}

std::uint8_t encode_fp8(Format f, float value, std::uint32_t largest, std::uint8_t nan) {
  const auto sign = static_cast<std::uint8_t>(std::signbit(value) ? 0x80 : 0);
  if (std::isnan(value)) return static_cast<std::uint8_t>(sign | nan);
  const float size = std::fabs(value);
  if (size >= magnitude(f, largest)) return static_cast<std::uint8_t>(sign | largest);
  return static_cast<std::uint8_t>(sign | std::min(round_to_code(f, size), largest));
}

template <typename Code, typename Convert>
void decode_loop(const void* source, float* destination, std::size_t count, Convert convert) {
  const auto* codes = static_cast<const unsigned char*>(source);
  for (std::size_t i = 0; i < count; ++i) {
    Code code;
    std::memcpy(&code, codes + i * sizeof(Code), sizeof(Code));
    destination[i] = convert(code);
  }
}

template <typename Code, typename Convert>
void encode_loop(const float* source, void* destination, std::size_t count, Convert convert) {
  auto* codes = static_cast<unsigned char*>(destination);
  for (std::size_t i = 0; i < count; ++i) {
    const Code code = convert(source[i]);
    std::memcpy(codes + i * sizeof(Code), &code, sizeof(Code));
  }
}

}  // namespace

float bf16_to_f32(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

std::uint16_t f32_to_bf16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if (std::isnan(value)) return static_cast<std::uint16_t>((bits >> 16) | 0x40);
  return static_cast<std::uint16_t>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

float f16_to_f32(std::uint16_t bits) {
  const float sign = (bits & 0x8000) != 0 ? -1.0f : 1.0f;
  const std::uint32_t code = bits & 0x7FFFu;
  if (code > 0x7C00) return std::nanf("");
  if (code == 0x7C00) return sign * INFINITY;
  return sign * magnitude(kF16, code);
}

std::uint16_t f32_to_f16(float value) {
  const auto sign = static_cast<std::uint16_t>(std::signbit(value) ? 0x8000 : 0);
  if (std::isnan(value)) return static_cast<std::uint16_t>(sign | 0x7E00);
  const float size = std::fabs(value);
  if (size >= 65520.0f) return static_cast<std::uint16_t>(sign | 0x7C00);
  return static_cast<std::uint16_t>(sign | round_to_code(kF16, size));
}

float e4m3_to_f32(std::uint8_t bits) { return e4m3_table()[bits]; }
float e5m2_to_f32(std::uint8_t bits) { return e5m2_table()[bits]; }
std::uint8_t f32_to_e4m3(float value) { return encode_fp8(kE4M3, value, 0x7E, 0x7F); }
std::uint8_t f32_to_e5m2(float value) { return encode_fp8(kE5M2, value, 0x7B, 0x7F); }

void decode_to_f32(DType dtype, const void* source, float* destination, std::size_t count) {
  switch (dtype) {
    case DType::kF32:
      if (count > 0) std::memcpy(destination, source, count * sizeof(float));  // else null, perhaps
      return;
    case DType::kF16:
      return decode_loop<std::uint16_t>(source, destination, count, f16_to_f32);
    case DType::kBF16:
      return decode_loop<std::uint16_t>(source, destination, count, bf16_to_f32);
    case DType::kF8E4M3:
      return decode_loop<std::uint8_t>(source, destination, count, e4m3_to_f32);
    case DType::kF8E5M2:
      return decode_loop<std::uint8_t>(source, destination, count, e5m2_to_f32);
    case DType::kI32:
    case DType::kU8:
      break;
  }
  OCTET_CHECK(false, "decode_to_f32: %s is not a float type", name_of(dtype));
}

void encode_from_f32(DType dtype, const float* source, void* destination, std::size_t count) {
  switch (dtype) {
    case DType::kF32:
      if (count > 0) std::memcpy(destination, source, count * sizeof(float));  // else null, perhaps
      return;
    case DType::kF16:
      return encode_loop<std::uint16_t>(source, destination, count, f32_to_f16);
    case DType::kBF16:
      return encode_loop<std::uint16_t>(source, destination, count, f32_to_bf16);
    case DType::kF8E4M3:
      return encode_loop<std::uint8_t>(source, destination, count, f32_to_e4m3);
    case DType::kF8E5M2:
      return encode_loop<std::uint8_t>(source, destination, count, f32_to_e5m2);
    case DType::kI32:
    case DType::kU8:
      break;
  }
  OCTET_CHECK(false, "encode_from_f32: %s is not a float type", name_of(dtype));
}

}  // namespace octet
