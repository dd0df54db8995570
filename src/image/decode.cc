#include "image/decode.h"

#include <algorithm>
#include <cstring>

#include "base/format.h"
#include "image/decoders.h"
#include "octet/error.h"

namespace octet {
namespace {

bool begins_with(std::span<const std::byte> bytes, std::string_view magic, std::size_t at = 0) {
  return bytes.size() >= at + magic.size() &&
         std::memcmp(bytes.data() + at, magic.data(), magic.size()) == 0;
}

RawPicture decode_raw(std::span<const std::byte> bytes, const std::string& name) {
  if (begins_with(bytes, "\x89PNG\r\n\x1a\n")) return decode_png_input(bytes, name);
  if (begins_with(bytes, "\xff\xd8\xff")) return decode_jpeg_input(bytes, name);
  if (begins_with(bytes, "RIFF") && begins_with(bytes, "WEBP", 8)) {
    return decode_webp_input(bytes, name);
  }
  refuse_picture(name, "expected a PNG, JPEG or WebP picture, found another format");
}

// Where the pixel comes from that stands at x, y of the upright picture.
std::size_t source_of(const RawPicture& raw, int x, int y) {
  if (raw.orientation >= 5) std::swap(x, y);  // mirrored on the diagonal
  const int o = raw.orientation;
  if (o == 2 || o == 3 || o == 7 || o == 8) x = raw.width - 1 - x;
  if (o == 3 || o == 4 || o == 6 || o == 7) y = raw.height - 1 - y;
  return static_cast<std::size_t>(y) * static_cast<std::size_t>(raw.width) +
         static_cast<std::size_t>(x);
}

}  // namespace

void refuse_picture(const std::string& name, const std::string& what) {
  throw Error(Code::kInvalidArgument, excerpt(name, 300) + ": " + what);
}

void check_input_size(std::uint64_t width, std::uint64_t height, const std::string& name) {
  if (width >= 1 && height >= 1 && width <= kMaxInputSide && height <= kMaxInputSide) return;
  refuse_picture(name, format("expected sides of 1..%d pixels, found %llux%llu", kMaxInputSide,
                              static_cast<unsigned long long>(width),
                              static_cast<unsigned long long>(height)));
}

void check_input_bytes(std::size_t bytes, const std::string& name) {
  if (bytes <= kMaxInputBytes) return;
  refuse_picture(name, format("expected at most %zu bytes, found %zu", kMaxInputBytes, bytes));
}

DecodedPicture decode_picture(std::span<const std::byte> bytes, const std::string& name) {
  check_input_bytes(bytes.size(), name);
  const RawPicture raw = decode_raw(bytes, name);
  const bool turned = raw.orientation >= 5;
  DecodedPicture out;
  Image& image = out.image;
  image.width = turned ? raw.height : raw.width;
  image.height = turned ? raw.width : raw.height;
  image.rgb.reserve(raw.rgba.size() / 4 * 3);
  out.alpha.reserve(raw.rgba.size() / 4);
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      const std::uint8_t* pixel = raw.rgba.data() + 4 * source_of(raw, x, y);
      image.rgb.insert(image.rgb.end(), pixel, pixel + 3);
      out.alpha.push_back(pixel[3]);
    }
  }
  const bool opaque =
      std::all_of(out.alpha.begin(), out.alpha.end(), [](std::uint8_t a) { return a == 255; });
  if (opaque) out.alpha.clear();
  if (raw.has_profile) {
    out.remarks.push_back(excerpt(name, 300) + ": its colour profile is not applied");
  }
  return out;
}

Image over_white(const DecodedPicture& picture) {
  Image image = picture.image;
  for (std::size_t i = 0; i < picture.alpha.size(); ++i) {
    const int a = picture.alpha[i];
    for (std::size_t c = 0; c < 3; ++c) {
      std::uint8_t& value = image.rgb[3 * i + c];
      value = static_cast<std::uint8_t>((value * a + 255 * (255 - a) + 127) / 255);
    }
  }
  return image;
}

std::vector<std::uint8_t> grey_of(const Image& image) {
  std::vector<std::uint8_t> grey;
  grey.reserve(image.rgb.size() / 3);
  for (std::size_t i = 0; i + 2 < image.rgb.size(); i += 3) {
    const std::uint32_t sum =
        19595u * image.rgb[i] + 38470u * image.rgb[i + 1] + 7471u * image.rgb[i + 2] + 0x8000u;
    grey.push_back(static_cast<std::uint8_t>(sum >> 16));
  }
  return grey;
}

std::vector<std::uint8_t> transparency_of(const DecodedPicture& picture) {
  std::vector<std::uint8_t> out(picture.image.rgb.size() / 3, 0);
  for (std::size_t i = 0; i < picture.alpha.size(); ++i) {
    out[i] = static_cast<std::uint8_t>(255 - picture.alpha[i]);
  }
  return out;
}

}  // namespace octet
