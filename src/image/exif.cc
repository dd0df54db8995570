#include <cstring>

#include "image/decoders.h"

namespace octet {
namespace {

// Numbers of a TIFF block, in either byte order; 0 beyond its end.
struct Tiff {
  std::span<const std::byte> bytes;
  bool little;

  [[nodiscard]] std::uint32_t number(std::size_t at, std::size_t size) const {
    if (at > bytes.size() || size > bytes.size() - at) return 0;
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < size; ++i) {
      const std::size_t place = little ? at + size - 1 - i : at + i;
      value = value << 8 | std::to_integer<std::uint32_t>(bytes[place]);
    }
    return value;
  }
};

}  // namespace

int exif_orientation(std::span<const std::byte> tiff) {
  constexpr std::uint32_t kTag = 0x0112, kShort = 3;
  constexpr std::size_t kEntry = 12;
  if (tiff.size() < 8) return 1;
  const bool little = std::memcmp(tiff.data(), "II*\0", 4) == 0;
  if (!little && std::memcmp(tiff.data(), "MM\0*", 4) != 0) return 1;
  const Tiff t{tiff, little};
  const std::size_t directory = t.number(4, 4);
  const std::uint32_t entries = t.number(directory, 2);
  for (std::uint32_t i = 0; i < entries; ++i) {
    const std::size_t at = directory + 2 + i * kEntry;
    if (at > tiff.size()) break;
    if (t.number(at, 2) != kTag || t.number(at + 2, 2) != kShort) continue;
    const std::uint32_t value = t.number(at + 8, 2);
    return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

}  // namespace octet
