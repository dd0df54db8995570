#include "support/gguf_bytes.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>

#include "tensor/float_formats.h"

namespace octet::test {

void put(Bytes& bytes, std::uint64_t value, int size) {
  for (int i = 0; i < size; ++i) bytes.push_back(static_cast<std::byte>(value >> 8 * i));
}

void put(Bytes& bytes, const std::string& text) {
  put(bytes, text.size(), 8);
  const Bytes more = bytes_of(text);
  bytes.insert(bytes.end(), more.begin(), more.end());
}

Bytes gguf_number(std::uint64_t value, int size) {
  Bytes bytes;
  put(bytes, value, size);
  return bytes;
}

Bytes gguf_text(const std::string& text) {
  Bytes bytes;
  put(bytes, text);
  return bytes;
}

Bytes gguf_entry(const std::string& key, std::uint32_t type, const Bytes& value) {
  Bytes bytes = gguf_text(key);
  put(bytes, type, 4);
  bytes.insert(bytes.end(), value.begin(), value.end());
  return bytes;
}

Bytes gguf_of(const GgufParts& parts) {
  Bytes bytes;
  put(bytes, parts.magic, 4);
  put(bytes, parts.version, 4);
  put(bytes, parts.infos.size(), 8);
  put(bytes, parts.entries.size(), 8);
  for (const Bytes& entry : parts.entries) bytes.insert(bytes.end(), entry.begin(), entry.end());
  for (const GgufInfo& info : parts.infos) {
    put(bytes, info.name);
    put(bytes, info.dims.size(), 4);
    for (const std::uint64_t d : info.dims) put(bytes, d, 8);
    put(bytes, info.type, 4);
    put(bytes, info.offset, 8);
  }
  while (parts.pad_header && bytes.size() % parts.alignment != 0) bytes.push_back({});
  bytes.resize(bytes.size() + parts.data, std::byte{1});
  return bytes;
}

namespace {

constexpr std::uint32_t kF32 = 0, kF16 = 1;  // element types
constexpr float kStep = 0x1p-6f;

int code_of(float value) { return static_cast<int>(value / kStep); }

// Codes of 4 or 5 bits from `least` on: nibbles, and bits 4 of all before them.
void put_small(Bytes& bytes, std::span<const float> v, int least, bool fifth) {
  std::uint32_t high = 0;
  for (std::size_t i = 0; i < 32; ++i) {
    high |= static_cast<std::uint32_t>((code_of(v[i]) - least) >> 4) << i;
  }
  if (fifth) put(bytes, high, 4);
  for (std::size_t i = 0; i < 16; ++i) {
    put(bytes,
        static_cast<std::uint64_t>(((code_of(v[i]) - least) & 15) |
                                   ((code_of(v[i + 16]) - least) & 15) << 4),
        1);
  }
}

void put_half(Bytes& bytes, float value) { put(bytes, f32_to_f16(value), 2); }

void put_q8_0(Bytes& bytes, std::span<const float> v) {
  put_half(bytes, kStep);
  for (const float x : v) put(bytes, static_cast<std::uint64_t>(code_of(x)), 1);
}
void put_q4_0(Bytes& bytes, std::span<const float> v) {
  put_half(bytes, kStep);
  put_small(bytes, v, -8, false);
}
void put_q4_1(Bytes& bytes, std::span<const float> v) {
  put_half(bytes, kStep);
  put_half(bytes, -8 * kStep);
  put_small(bytes, v, -8, false);
}
void put_q5_0(Bytes& bytes, std::span<const float> v) {
  put_half(bytes, kStep);
  put_small(bytes, v, -16, true);
}
void put_q5_1(Bytes& bytes, std::span<const float> v) {
  put_half(bytes, kStep);
  put_half(bytes, -12 * kStep);
  put_small(bytes, v, -12, true);
}
// Group scales of 32 and offsets of 16 steps: bits in every byte of the packed scales.
void put_q4_k(Bytes& bytes, std::span<const float> v) {
  put_half(bytes, kStep / 32);
  put_half(bytes, kStep / 2);
  for (int i = 0; i < 4; ++i) put(bytes, 32 | 2 << 6, 1);
  for (int i = 0; i < 4; ++i) put(bytes, 16 | 1 << 6, 1);
  for (int i = 0; i < 4; ++i) put(bytes, 0, 1);
  for (std::size_t at = 0; at < 256; at += 64) {
    for (std::size_t i = at; i < at + 32; ++i) {
      put(bytes, static_cast<std::uint64_t>((code_of(v[i]) + 8) | (code_of(v[i + 32]) + 8) << 4),
          1);
    }
  }
}
// Scales of 16 values are 8 and -8 in turn.
void put_q6_k(Bytes& bytes, std::span<const float> v) {
  const auto code = [&](std::size_t i) { return 32 + code_of(v[i]) * (i / 16 % 2 == 0 ? 1 : -1); };
  for (std::size_t half = 0; half < 256; half += 128) {
    for (std::size_t i = half; i < half + 64; ++i) {
      put(bytes, static_cast<std::uint64_t>((code(i) & 15) | (code(i + 64) & 15) << 4), 1);
    }
  }
  for (std::size_t half = 0; half < 256; half += 128) {
    for (std::size_t i = half; i < half + 32; ++i) {
      int high = 0;
      for (std::size_t run = 0; run < 4; ++run) high |= code(i + 32 * run) >> 4 << 2 * run;
      put(bytes, static_cast<std::uint64_t>(high), 1);
    }
  }
  for (int i = 0; i < 16; ++i) put(bytes, static_cast<std::uint64_t>(i % 2 == 0 ? 8 : -8), 1);
  put_half(bytes, kStep / 8);
}

struct Blocks {
  const char* name;
  std::uint32_t type;
  std::size_t values;
  void (*put)(Bytes&, std::span<const float>);
};
constexpr Blocks kBlocks[] = {{"Q8_0", 8, 32, put_q8_0},  {"Q4_0", 2, 32, put_q4_0},
                              {"Q4_1", 3, 32, put_q4_1},  {"Q5_0", 6, 32, put_q5_0},
                              {"Q5_1", 7, 32, put_q5_1},  {"Q4_K", 12, 256, put_q4_k},
                              {"Q6_K", 14, 256, put_q6_k}};

// The bytes of a tensor and their type.
std::pair<std::uint32_t, Bytes> encoded(const TestTensor& t, const std::string& type) {
  if (t.dims.size() != 2) return {kF32, t.data};
  std::vector<float> values(t.data.size() / sizeof(float));
  std::memcpy(values.data(), t.data.data(), t.data.size());
  for (const Blocks& b : kBlocks) {
    const bool fits =
        static_cast<std::size_t>(t.dims[1]) % b.values == 0 &&
        std::all_of(values.begin(), values.end(), [](float v) {
          return std::fabs(v) <= 7 * kStep && static_cast<float>(code_of(v)) * kStep == v;
        });
    if (type != b.name || !fits) continue;
    Bytes bytes;
    for (std::size_t i = 0; i < values.size(); i += b.values) {
      b.put(bytes, std::span(values).subspan(i, b.values));
    }
    return {b.type, bytes};
  }
  constexpr std::uint32_t kBf16 = 30;
  if (type == "BF16") return {kBf16, tensor_of(t.dims, values, DType::kBF16).data};
  return {kF16, tensor_of(t.dims, values, DType::kF16).data};
}

}  // namespace

Bytes gguf_file(const TensorMap& tensors, const std::string& matrices) {
  GgufParts parts{.entries = {gguf_entry("general.architecture", 8, gguf_text("sd3"))}};
  Bytes data;
  for (const auto& [name, tensor] : tensors) {
    auto [type, bytes] = encoded(tensor, matrices);
    std::vector<std::uint64_t> dims(tensor.dims.rbegin(), tensor.dims.rend());
    parts.infos.push_back({name, std::move(dims), type, data.size()});
    data.insert(data.end(), bytes.begin(), bytes.end());
    while (data.size() % parts.alignment != 0) data.push_back({});
  }
  Bytes file = gguf_of(parts);
  file.insert(file.end(), data.begin(), data.end());
  return file;
}

}  // namespace octet::test
