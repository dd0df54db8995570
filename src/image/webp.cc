#include <webp/encode.h>

#include <memory>

#include "image/codecs.h"
#include "image/xmp_storage.h"
#include "octet/error.h"

namespace octet {

std::vector<std::byte> encode_webp(const Image& image, const EncodeOptions& options) {
  std::uint8_t* bytes = nullptr;
  const int stride = image.width * 3;
  const std::size_t size =
      options.webp_lossless
          ? ::WebPEncodeLosslessRGB(image.rgb.data(), image.width, image.height, stride, &bytes)
          : ::WebPEncodeRGB(image.rgb.data(), image.width, image.height, stride,
                            static_cast<float>(options.webp_quality), &bytes);
  const std::unique_ptr<std::uint8_t, void (*)(void*)> owner(bytes, ::WebPFree);
  if (size == 0) throw Error(Code::kOutOfMemory, "webp: cannot encode: out of memory");
  const auto* begin = reinterpret_cast<const std::byte*>(bytes);
  if (!options.xmp.empty()) return insert_webp_xmp({begin, size}, image, options.xmp);
  return {begin, begin + size};
}

}  // namespace octet
