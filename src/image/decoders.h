// The decoders behind decode_picture(), one per format and file. Internal to src/image.
#pragma once

#include "image/decode.h"

namespace octet {

/// As the file holds it: not yet upright.
struct RawPicture {
  int width = 0;
  int height = 0;
  std::vector<std::uint8_t> rgba;
  int orientation = 1;  // of EXIF, 1..8
  bool has_profile = false;
};

[[nodiscard]] RawPicture decode_png_input(std::span<const std::byte> bytes,
                                          const std::string& name);
[[nodiscard]] RawPicture decode_jpeg_input(std::span<const std::byte> bytes,
                                           const std::string& name);
[[nodiscard]] RawPicture decode_webp_input(std::span<const std::byte> bytes,
                                           const std::string& name);

/// Error(kInvalidArgument) "<name>: <what>".
[[noreturn]] void refuse_picture(const std::string& name, const std::string& what);
/// Refuses sides outside 1..kMaxInputSide.
void check_input_size(std::uint64_t width, std::uint64_t height, const std::string& name);

/// Refuses files above kMaxInputBytes.
void check_input_bytes(std::size_t bytes, const std::string& name);

/// The orientation in a block of EXIF (TIFF 6.0, tag 0x0112); 1 when there is none that is valid.
[[nodiscard]] int exif_orientation(std::span<const std::byte> tiff);

}  // namespace octet
