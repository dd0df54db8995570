#include "image/xmp_storage.h"

#include <cstring>
#include <optional>

#include "image/png_text.h"
#include "image/provenance.h"

namespace octet {
namespace {

using Bytes = std::span<const std::byte>;

constexpr std::string_view kJpegMagic = "\xff\xd8\xff", kRiffMagic = "RIFF";

bool begins_with(Bytes bytes, std::string_view mark) {
  return bytes.size() >= mark.size() && std::memcmp(bytes.data(), mark.data(), mark.size()) == 0;
}

std::string as_string(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::uint32_t little_endian(Bytes bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 4; i-- > 0;) {
    value = value << 8 | std::to_integer<std::uint32_t>(bytes[at + i]);
  }
  return value;
}

void append(std::vector<std::byte>& out, std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  out.insert(out.end(), bytes.begin(), bytes.end());
}

void append_number(std::vector<std::byte>& out, std::size_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out.push_back(static_cast<std::byte>(value >> 8 * i & 255));
}

// Four letters, the length, the contents, one byte more if they are odd.
void append_chunk(std::vector<std::byte>& out, std::string_view type, std::string_view data) {
  append(out, type);
  append_number(out, data.size(), 4);
  append(out, data);
  if (data.size() % 2 != 0) out.push_back(std::byte{0});
}

// The packet in the segments before the pixels.
std::optional<std::string> jpeg_xmp(Bytes jpeg) {
  constexpr std::byte kMarker{0xff}, kApp1{0xe1}, kScan{0xda};
  for (std::size_t at = 2; at + 4 <= jpeg.size() && jpeg[at] == kMarker;) {
    if (jpeg[at + 1] == kScan) break;
    const std::size_t size = std::to_integer<std::size_t>(jpeg[at + 2]) << 8 |
                             std::to_integer<std::size_t>(jpeg[at + 3]);
    if (size < 2 || size > jpeg.size() - at - 2) break;
    const Bytes data = jpeg.subspan(at + 4, size - 2);
    if (jpeg[at + 1] == kApp1 && begins_with(data, kJpegXmpMark)) {
      return as_string(data.subspan(kJpegXmpMark.size()));
    }
    at += 2 + size;
  }
  return std::nullopt;
}

std::optional<std::string> png_xmp(Bytes png, const std::string& name) {
  for (PngText& text : read_png_texts(png, name)) {
    if (text.keyword == kPngXmpKeyword) return std::move(text.text);
  }
  return std::nullopt;
}

}  // namespace

std::span<const std::byte> webp_chunk(Bytes webp, const char* type) {
  constexpr std::size_t kHead = 8;
  for (std::size_t at = 12; at + kHead <= webp.size();) {
    const std::size_t size = little_endian(webp, at + 4);
    if (size > webp.size() - at - kHead) break;
    if (std::memcmp(webp.data() + at, type, 4) == 0) return webp.subspan(at + kHead, size);
    at += kHead + size + size % 2;
  }
  return {};
}

std::vector<std::byte> insert_webp_xmp(Bytes webp, const Image& image, std::string_view xmp) {
  constexpr std::size_t kRiffHead = 12;
  std::vector<std::byte> extended;  // the header of files with more than one chunk
  constexpr std::size_t kHasXmp = 4;
  append_number(extended, kHasXmp, 4);
  append_number(extended, static_cast<std::size_t>(image.width) - 1, 3);
  append_number(extended, static_cast<std::size_t>(image.height) - 1, 3);
  std::vector<std::byte> body;
  append(body, "WEBP");
  append_chunk(body, "VP8X", as_string(extended));
  append(body, as_string(webp.subspan(kRiffHead)));
  append_chunk(body, "XMP ", xmp);
  std::vector<std::byte> out;
  append_chunk(out, "RIFF", as_string(body));
  return out;
}

bool holds_xmp_only(Bytes bytes) {
  return begins_with(bytes, kJpegMagic) || begins_with(bytes, kRiffMagic);
}

std::optional<std::string> read_xmp(Bytes bytes, const std::string& name) {
  if (begins_with(bytes, kJpegMagic)) return jpeg_xmp(bytes);
  if (begins_with(bytes, kRiffMagic)) {
    const Bytes chunk = webp_chunk(bytes, "XMP ");
    return chunk.empty() ? std::nullopt : std::optional(as_string(chunk));
  }
  return png_xmp(bytes, name);
}

}  // namespace octet
