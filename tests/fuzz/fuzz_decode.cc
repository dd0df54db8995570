// Fuzz target: pictures that somebody gives us, PNG, JPEG and WebP, down to pixels.
#include <cstdint>
#include <cstdlib>

#include "image/decode.h"
#include "octet/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const octet::DecodedPicture p =
        octet::decode_picture({reinterpret_cast<const std::byte*>(data), size}, "fuzz");
    const auto pixels =
        static_cast<std::size_t>(p.image.width) * static_cast<std::size_t>(p.image.height);
    if (p.image.rgb.size() != 3 * pixels) std::abort();
    if (!p.alpha.empty() && p.alpha.size() != pixels) std::abort();
  } catch (const octet::Error& e) {
    if (e.code() != octet::Code::kInvalidArgument) std::abort();
  }
  return 0;
}
