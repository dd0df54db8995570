// The encoders behind encode(), one per format and file. Arguments are checked by encode().
#pragma once

#include "image/image.h"

namespace octet {

[[nodiscard]] std::vector<std::byte> encode_png(const Image& image, const EncodeOptions& options);
[[nodiscard]] std::vector<std::byte> encode_jpeg(const Image& image, const EncodeOptions& options);
[[nodiscard]] std::vector<std::byte> encode_webp(const Image& image, const EncodeOptions& options);

}  // namespace octet
