// A finished picture and its file formats.
//
// Image holds 8-bit sRGB, rows from top to bottom, no padding. Encoding the same picture with the
// same options gives the same bytes. A PNG can carry texts (keyword -> UTF-8), of which
// "parameters" is the one that other programs show; every format can carry an XMP packet.
//
// Thread-safety: pure functions; encoding a PNG runs threads of its own. Errors:
// Error(kInvalidArgument) for a picture that a format cannot hold, an option out of range or an
// unknown suffix; Error(kCorruptFile) for a damaged or hostile PNG; Error(kOutOfMemory).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace octet {

struct Image {
  int width = 0;
  int height = 0;
  std::vector<std::uint8_t> rgb;  // width * height * 3
};

enum class ImageFormat : std::uint8_t { kPng, kJpeg, kWebp };

/// A text of a PNG.
struct PngText {
  std::string keyword;  // 1..79 printable ASCII characters
  std::string text;     // UTF-8 without NUL
};

struct EncodeOptions {
  std::vector<PngText> texts;  // PNG only
  std::string xmp;             // an XMP packet (provenance.h), any format; empty: none
  int jpeg_quality = 95;       // 1..100; colour is never subsampled
  int webp_quality = 90;       // 0..100
  bool webp_lossless = false;
  int threads = 0;  // PNG only; 0: all that this process may use; same bytes
};

[[nodiscard]] std::vector<std::byte> encode(const Image& image, ImageFormat format,
                                            const EncodeOptions& options = {});

/// From ".png", ".jpg", ".jpeg" or ".webp" in any case.
[[nodiscard]] ImageFormat format_from_suffix(std::string_view path);
/// "png", "jpeg", "webp".
[[nodiscard]] const char* format_name(ImageFormat format);

/// Largest picture that decode_png accepts.
inline constexpr int kMaxImageSide = 16384;
inline constexpr std::int64_t kMaxImagePixels = std::int64_t{64} << 20;

/// Any PNG as 8-bit sRGB; transparency is laid over white, pixels that a file lacks are white.
/// `name` is for messages.
[[nodiscard]] Image decode_png(std::span<const std::byte> bytes, const std::string& name);

/// The texts of a PNG (tEXt, zTXt, iTXt) in file order, tEXt and zTXt converted from Latin-1;
/// iTXt is taken as it is, valid UTF-8 or not.
/// Texts above kMaxPngText bytes or more than kMaxPngTexts of them are an error.
inline constexpr std::size_t kMaxPngText = std::size_t{4} << 20;
inline constexpr std::size_t kMaxPngTexts = 256;
[[nodiscard]] std::vector<PngText> read_png_texts(std::span<const std::byte> bytes,
                                                  const std::string& name);
/// The text "parameters"; empty when the PNG has none.
[[nodiscard]] std::optional<std::string> read_png_parameters(std::span<const std::byte> bytes,
                                                             const std::string& name);

}  // namespace octet
