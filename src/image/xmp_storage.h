// Where each file format keeps an XMP packet (XMP specification part 3; WebP container
// specification). Internal to src/image.
#pragma once

#include "image/image.h"

namespace octet {

inline constexpr const char* kPngXmpKeyword = "XML:com.adobe.xmp";  // of an iTXt
/// What an APP1 segment of JPEG begins with, its NUL included.
inline constexpr std::string_view kJpegXmpMark("http://ns.adobe.com/xap/1.0/\0", 29);

/// Whether this begins like a JPEG or WebP, which hold XMP but no texts as a PNG does.
[[nodiscard]] bool holds_xmp_only(std::span<const std::byte> bytes);

/// `webp`, a file of one picture chunk, with the packet behind it.
[[nodiscard]] std::vector<std::byte> insert_webp_xmp(std::span<const std::byte> webp,
                                                     const Image& image, std::string_view xmp);

/// The contents of the first chunk of this type in a WebP file; empty when there is none.
[[nodiscard]] std::span<const std::byte> webp_chunk(std::span<const std::byte> webp,
                                                    const char* type);

}  // namespace octet
