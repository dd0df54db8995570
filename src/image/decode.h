// Reading pictures that somebody gives us: PNG, JPEG and WebP, told apart by their first bytes.
//
// Every input counts as hostile. Sides are read from the header and checked before pixels are
// decoded; memory and work are limited in proportion to them (chunk and scan limits); a damaged or
// truncated file is an error, never half a picture. What comes out is upright (EXIF orientation is
// applied), 8-bit, straight RGB: 16-bit samples are rounded, palettes and grey expanded.
// Animations, CMYK and 12-bit JPEG are refused by name. Colour profiles and the gamma of a PNG are
// not applied, which `remarks` says.
//
// Thread-safety: pure functions. Errors: Error(kInvalidArgument) naming the picture and what is
// wrong with it; Error(kOutOfMemory).
#pragma once

#include "image/image.h"

namespace octet {

/// Limits of pictures that are read.
inline constexpr int kMaxInputSide = 4096;  // so at most 16.8 million pixels
inline constexpr std::size_t kMaxInputBytes = std::size_t{64} << 20;

struct DecodedPicture {
  Image image;
  std::vector<std::uint8_t> alpha;   // width * height, 255 is opaque; empty when all is opaque
  std::vector<std::string> remarks;  // what was not taken over, one line each
};

/// `name` is for messages.
[[nodiscard]] DecodedPicture decode_picture(std::span<const std::byte> bytes,
                                            const std::string& name);

/// The picture laid over white.
[[nodiscard]] Image over_white(const DecodedPicture& picture);

/// Brightness, one byte a pixel: 0.299 R + 0.587 G + 0.114 B, rounded as Pillow's convert("L").
[[nodiscard]] std::vector<std::uint8_t> grey_of(const Image& image);

/// How transparent each pixel is, 0 where opaque: what programs mean whose masks are transparent
/// where to draw, in the form of InitMask.
[[nodiscard]] std::vector<std::uint8_t> transparency_of(const DecodedPicture& picture);

}  // namespace octet
