#include <webp/decode.h>

#include <cstring>

#include "base/format.h"
#include "image/decoders.h"
#include "image/xmp_storage.h"
#include "octet/error.h"

namespace octet {
namespace {

const std::uint8_t* data_of(std::span<const std::byte> bytes) {
  return reinterpret_cast<const std::uint8_t*>(bytes.data());
}

int orientation_of(std::span<const std::byte> bytes) {
  std::span<const std::byte> exif = webp_chunk(bytes, "EXIF");
  constexpr std::size_t kMark = 6;  // some writers put JPEG's mark in front
  if (exif.size() > kMark && std::memcmp(exif.data(), "Exif\0", kMark) == 0) {
    exif = exif.subspan(kMark);
  }
  return exif_orientation(exif);
}

}  // namespace

RawPicture decode_webp_input(std::span<const std::byte> bytes, const std::string& name) {
  WebPBitstreamFeatures features;
  if (::WebPGetFeatures(data_of(bytes), bytes.size(), &features) != VP8_STATUS_OK) {
    refuse_picture(name, "damaged WebP: its header cannot be read");
  }
  if (features.has_animation != 0) {
    refuse_picture(name, "expected one picture, found an animation");
  }
  check_input_size(static_cast<std::uint64_t>(features.width),
                   static_cast<std::uint64_t>(features.height), name);
  RawPicture raw{.width = features.width, .height = features.height, .rgba = {}};
  raw.rgba.resize(static_cast<std::size_t>(raw.width) * static_cast<std::size_t>(raw.height) * 4);
  if (::WebPDecodeRGBAInto(data_of(bytes), bytes.size(), raw.rgba.data(), raw.rgba.size(),
                           4 * raw.width) == nullptr) {
    refuse_picture(name, "damaged or truncated WebP");
  }
  raw.orientation = orientation_of(bytes);
  raw.has_profile = !webp_chunk(bytes, "ICCP").empty();
  return raw;
}

}  // namespace octet
