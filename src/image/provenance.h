// Where a picture comes from, said in the picture: XMP (ISO 16684-1) in PNG, JPEG and WebP.
//
// The packet names the IPTC digital source type: trainedAlgorithmicMedia, or, where a mask kept
// part of another picture, compositeWithTrainedAlgorithmicMedia
// (cv.iptc.org/newscodes/digitalsourcetype). It names program, model and prompt in the AI
// properties of IPTC Photo Metadata 2025.1, and holds the parameters (parameters.h) as JSON in
// octet:parameters, from which any picture can be repeated. It is a statement, not a proof: it is
// neither signed nor hidden, and editors may drop it.
//
// Thread-safety: pure functions. Errors: Error(kCorruptFile) for damaged files.
#pragma once

#include <optional>
#include <string>

#include "image/parameters.h"

namespace octet {

/// Longest packet that a JPEG holds (one APP1 segment).
inline constexpr std::size_t kMaxJpegXmp = 65502;

enum class XmpDetail : std::uint8_t { kAll, kOriginOnly };

/// The packet. kOriginOnly leaves out prompt and parameters. Characters that XML cannot hold become
/// U+FFFD; the JSON escapes those of them that prompts may have.
[[nodiscard]] std::string provenance_xmp(const PictureParameters& parameters,
                                         XmpDetail detail = XmpDetail::kAll);

/// What encode() is to write into a picture about its origin. With `provenance` off, PNG gets the
/// texts of parameters.h alone and the other formats get nothing. False when the parameters are too
/// long for the format, so that only the origin is said.
[[nodiscard]] bool describe_picture(const PictureParameters& parameters, ImageFormat format,
                                    bool provenance, EncodeOptions& options);

/// The XMP packet of a PNG, JPEG or WebP; empty when there is none. `name` is for messages.
[[nodiscard]] std::optional<std::string> read_xmp(std::span<const std::byte> bytes,
                                                  const std::string& name);
/// The text of a simple property written as an element ("Iptc4xmpExt:DigitalSourceType"); empty
/// when the packet has none.
[[nodiscard]] std::optional<std::string> xmp_property(std::string_view packet,
                                                      const std::string& property);

}  // namespace octet
