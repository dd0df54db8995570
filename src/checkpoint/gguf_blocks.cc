#include "checkpoint/gguf_blocks.h"

#include <algorithm>
#include <iterator>

#include "base/check.h"
#include "tensor/float_formats.h"

namespace octet {
namespace {

float half_at(const std::uint8_t* bytes) {
  return f16_to_f32(static_cast<std::uint16_t>(bytes[0] | bytes[1] << 8));
}

// Blocks of 32: the low nibbles are the first 16 values, the high ones the last 16.
constexpr int kSmall = 32;
int nibble(const std::uint8_t* codes, int i) { return i < 16 ? codes[i] & 15 : codes[i - 16] >> 4; }
// The fifth bits of 32 codes are one little-endian word.
int fifth_bit(const std::uint8_t* word, int i) { return (word[i / 8] >> (i % 8) & 1) << 4; }

// scale(2) codes(32): code * scale.
void decode_q8_0(const std::uint8_t* block, float* values) {
  const float scale = half_at(block);
  for (int i = 0; i < kSmall; ++i) {
    values[i] = scale * static_cast<float>(static_cast<std::int8_t>(block[2 + i]));
  }
}

// scale(2) nibbles(16): (code - 8) * scale.
void decode_q4_0(const std::uint8_t* block, float* values) {
  const float scale = half_at(block);
  for (int i = 0; i < kSmall; ++i) {
    values[i] = scale * static_cast<float>(nibble(block + 2, i) - 8);
  }
}

// scale(2) least(2) nibbles(16): code * scale + least.
void decode_q4_1(const std::uint8_t* block, float* values) {
  const float scale = half_at(block);
  const float least = half_at(block + 2);
  for (int i = 0; i < kSmall; ++i) {
    values[i] = scale * static_cast<float>(nibble(block + 4, i)) + least;
  }
}

// scale(2) fifth bits(4) nibbles(16): (code - 16) * scale.
void decode_q5_0(const std::uint8_t* block, float* values) {
  const float scale = half_at(block);
  for (int i = 0; i < kSmall; ++i) {
    const int code = nibble(block + 6, i) | fifth_bit(block + 2, i);
    values[i] = scale * static_cast<float>(code - 16);
  }
}

// scale(2) least(2) fifth bits(4) nibbles(16): code * scale + least.
void decode_q5_1(const std::uint8_t* block, float* values) {
  const float scale = half_at(block);
  const float least = half_at(block + 2);
  for (int i = 0; i < kSmall; ++i) {
    const int code = nibble(block + 8, i) | fifth_bit(block + 4, i);
    values[i] = scale * static_cast<float>(code) + least;
  }
}

// Blocks of 256 hold 8 groups of 32 with a 6-bit scale and a 6-bit offset each, packed in 12 bytes:
// low six bits of bytes 0..3 and 4..7 for groups 0..3; for groups 4..7 the four low bits are
// nibbles of bytes 8..11 and the two high bits are what remained of bytes 0..7.
constexpr int kGroups = 8;
struct GroupScale {
  int scale;
  int offset;
};
GroupScale group_scale(const std::uint8_t* packed, int group) {
  const int i = group % 4;
  if (group < 4) return {packed[i] & 63, packed[4 + i] & 63};
  return {(packed[8 + i] & 15) | packed[i] >> 6 << 4, packed[8 + i] >> 4 | packed[4 + i] >> 6 << 4};
}

// Codes of two consecutive groups share 32 bytes: low nibbles, then high nibbles.
int group_nibble(const std::uint8_t* codes, int group, int i) {
  const int byte = codes[group / 2 * 32 + i];
  return group % 2 == 0 ? byte & 15 : byte >> 4;
}

// scale(2) offset scale(2) group scales(12) nibbles(128): code * scale - offset.
void decode_q4_k(const std::uint8_t* block, float* values) {
  const float scale = half_at(block);
  const float offset_scale = half_at(block + 2);
  for (int group = 0; group < kGroups; ++group) {
    const GroupScale g = group_scale(block + 4, group);
    const float step = scale * static_cast<float>(g.scale);
    const float offset = offset_scale * static_cast<float>(g.offset);
    for (int i = 0; i < 32; ++i) {
      *values++ = step * static_cast<float>(group_nibble(block + 16, group, i)) - offset;
    }
  }
}

// The same with fifth bits(32) before the nibbles: bit `group` of byte i belongs to value i.
void decode_q5_k(const std::uint8_t* block, float* values) {
  const float scale = half_at(block);
  const float offset_scale = half_at(block + 2);
  for (int group = 0; group < kGroups; ++group) {
    const GroupScale g = group_scale(block + 4, group);
    const float step = scale * static_cast<float>(g.scale);
    const float offset = offset_scale * static_cast<float>(g.offset);
    for (int i = 0; i < 32; ++i) {
      const int fifth = (block[16 + i] >> group & 1) << 4;
      const int code = group_nibble(block + 48, group, i) | fifth;
      *values++ = step * static_cast<float>(code) - offset;
    }
  }
}

// nibbles(128) high bits(64) scales of 16 values(16) scale(2): (code - 32) * scale. Each half of
// the block has four runs of 32: the low nibbles of its 64 bytes, then their high nibbles; the two
// high bits of run r are bits 2r of the half's 32 bytes.
void decode_q6_k(const std::uint8_t* block, float* values) {
  const float scale = half_at(block + 208);
  for (int half = 0; half < 2; ++half) {
    const std::uint8_t* low = block + half * 64;
    const std::uint8_t* high = block + 128 + half * 32;
    for (int run = 0; run < 4; ++run) {
      for (int i = 0; i < 32; ++i) {
        const int byte = low[run % 2 * 32 + i];
        const int code = (run < 2 ? byte & 15 : byte >> 4) | (high[i] >> 2 * run & 3) << 4;
        const auto group = static_cast<std::int8_t>(block[192 + half * 8 + run * 2 + i / 16]);
        *values++ = scale * static_cast<float>(group) * static_cast<float>(code - 32);
      }
    }
  }
}

// Sizes of types that are not read are here too, so that a file which holds one can be described.
constexpr GgufType kTypes[] = {
    {0, "F32", 1, 4, DType::kF32, nullptr},
    {1, "F16", 1, 2, DType::kF16, nullptr},
    {30, "BF16", 1, 2, DType::kBF16, nullptr},
    {8, "Q8_0", 32, 34, DType::kF32, decode_q8_0},
    {2, "Q4_0", 32, 18, DType::kF32, decode_q4_0},
    {3, "Q4_1", 32, 20, DType::kF32, decode_q4_1},
    {6, "Q5_0", 32, 22, DType::kF32, decode_q5_0},
    {7, "Q5_1", 32, 24, DType::kF32, decode_q5_1},
    {12, "Q4_K", 256, 144, DType::kF32, decode_q4_k},
    {13, "Q5_K", 256, 176, DType::kF32, decode_q5_k},
    {14, "Q6_K", 256, 210, DType::kF32, decode_q6_k},
    {9, "Q8_1", 32, 40, {}, nullptr},
    {10, "Q2_K", 256, 84, {}, nullptr},
    {11, "Q3_K", 256, 110, {}, nullptr},
    {15, "Q8_K", 256, 292, {}, nullptr},
    {16, "IQ2_XXS", 256, 66, {}, nullptr},
    {17, "IQ2_XS", 256, 74, {}, nullptr},
    {18, "IQ3_XXS", 256, 98, {}, nullptr},
    {19, "IQ1_S", 256, 50, {}, nullptr},
    {20, "IQ4_NL", 32, 18, {}, nullptr},
    {21, "IQ3_S", 256, 110, {}, nullptr},
    {22, "IQ2_S", 256, 82, {}, nullptr},
    {23, "IQ4_XS", 256, 136, {}, nullptr},
    {29, "IQ1_M", 256, 56, {}, nullptr},
    {34, "TQ1_0", 256, 54, {}, nullptr},
    {35, "TQ2_0", 256, 66, {}, nullptr},
    {39, "MXFP4", 32, 17, {}, nullptr},
    {24, "I8", 1, 1, {}, nullptr},
    {25, "I16", 1, 2, {}, nullptr},
    {26, "I32", 1, 4, {}, nullptr},
    {27, "I64", 1, 8, {}, nullptr},
    {28, "F64", 1, 8, {}, nullptr},
};

}  // namespace

const GgufType* gguf_type(std::uint32_t id) {
  const auto* end = std::end(kTypes);
  const auto* it = std::find_if(kTypes, end, [&](const GgufType& t) { return t.id == id; });
  return it == end ? nullptr : it;
}

const GgufType* gguf_type(std::string_view name) {
  const auto* end = std::end(kTypes);
  const auto* it = std::find_if(kTypes, end, [&](const GgufType& t) { return t.name == name; });
  return it == end ? nullptr : it;
}

std::string readable_gguf_types() {
  std::string text;
  for (const GgufType& t : kTypes) {
    if (t.dtype) text += (text.empty() ? "" : ", ") + std::string(t.name);
  }
  return text;
}

void decode_blocks(const GgufType& type, std::span<const std::byte> blocks,
                   std::span<float> values) {
  const std::size_t count = blocks.size() / type.bytes;
  OCTET_CHECK(type.decode != nullptr && blocks.size() == count * type.bytes &&
                  values.size() == count * type.values,
              "%zu bytes, %zu values of %s", blocks.size(), values.size(), type.name);
  for (std::size_t i = 0; i < count; ++i) {
    type.decode(reinterpret_cast<const std::uint8_t*>(blocks.data()) + i * type.bytes,
                values.data() + i * type.values);
  }
}

}  // namespace octet
