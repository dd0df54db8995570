// Changing the size of 8-bit pictures as Pillow's Image.resize(..., LANCZOS) does, bit for bit:
// what diffusers does to pictures and masks before it encodes them.
//
// Each side is resampled by itself with a Lanczos kernel of three lobes that widens when the
// picture shrinks; weights are rounded to 22 bits and the picture between the two passes to 8.
// Equal sizes are a copy. Thread-safety: pure function. Errors: kInternal for sizes that do not fit
// the bytes.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace octet {

struct PixelSize {
  int width = 0;
  int height = 0;
  bool operator==(const PixelSize&) const = default;
};

/// `pixels`: from.height rows of from.width pixels of `channels` bytes.
[[nodiscard]] std::vector<std::uint8_t> resize_lanczos(std::span<const std::uint8_t> pixels,
                                                       int channels, PixelSize from, PixelSize to);

}  // namespace octet
