#include "tensor/random_codes.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "tensor/float_formats.h"

namespace octet {
namespace {

// The z with P(Z < z) = p, by bisection: slow, but needed once and free of fitted constants.
double normal_quantile(double p) {
  double low = -8;
  double high = 8;
  for (int i = 0; i < 64; ++i) {
    const double middle = (low + high) / 2;
    (std::erfc(-middle / std::sqrt(2.0)) / 2 < p ? low : high) = middle;
  }
  return (low + high) / 2;
}

const std::array<double, kRandomCodes>& quantiles() {
  static const auto table = [] {
    std::array<double, kRandomCodes> z{};
    for (std::size_t k = 0; k < kRandomCodes / 2; ++k) {
      const double p = (static_cast<double>(k) + 0.5) / static_cast<double>(kRandomCodes);
      z[k] = std::round(normal_quantile(p) * 4096) / 4096;
      z[kRandomCodes - 1 - k] = -z[k];
    }
    return z;
  }();
  return table;
}

template <typename Code>
void fill_elements(const RandomCodes& codes, std::uint64_t first, std::span<std::byte> out) {
  const std::vector<std::byte> bytes = code_table(codes);
  std::array<Code, kRandomCodes> table;
  std::memcpy(table.data(), bytes.data(), bytes.size());
  for (std::size_t i = 0; i < out.size() / sizeof(Code); ++i) {
    const Code code = table[random_index(codes.seed, static_cast<std::uint32_t>(first + i))];
    std::memcpy(out.data() + i * sizeof(Code), &code, sizeof(Code));
  }
}

void fill_whole(const RandomCodes& codes, std::uint64_t first, std::span<std::byte> out) {
  switch (size_of(codes.dtype)) {
    case 1:
      return fill_elements<std::uint8_t>(codes, first, out);
    case 2:
      return fill_elements<std::uint16_t>(codes, first, out);
    default:
      return fill_elements<std::uint32_t>(codes, first, out);
  }
}

}  // namespace

std::vector<std::byte> code_table(const RandomCodes& codes) {
  std::vector<float> values;
  for (const double z : quantiles()) {
    values.push_back(static_cast<float>(static_cast<double>(codes.mean) +
                                        static_cast<double>(codes.deviation) * z));
  }
  std::vector<std::byte> bytes(kRandomCodes * size_of(codes.dtype));
  encode_from_f32(codes.dtype, values.data(), bytes.data(), values.size());
  return bytes;
}

void fill_random(const RandomCodes& codes, std::uint64_t offset, std::span<std::byte> destination) {
  const std::size_t size = size_of(codes.dtype);
  const std::size_t skip = static_cast<std::size_t>(offset % size);
  const std::size_t tail = (skip + destination.size()) % size;
  if (skip == 0 && tail == 0) return fill_whole(codes, offset / size, destination);
  // Ends inside an element: make whole ones and cut.
  std::vector<std::byte> whole(skip + destination.size() + (size - tail) % size);
  fill_whole(codes, offset / size, whole);
  std::copy_n(whole.begin() + static_cast<std::ptrdiff_t>(skip), destination.size(),
              destination.begin());
}

}  // namespace octet
