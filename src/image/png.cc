// Reading the pixels of PNG files, through libpng's simplified interface, which keeps its setjmp
// inside C.
#include <png.h>

#include <cstring>

#include "base/format.h"
#include "image/codecs.h"
#include "image/png_text.h"
#include "octet/error.h"

namespace octet {
namespace {

// Frees what libpng holds, however the scope ends.
struct PngState {
  PngState() {
    std::memset(&image, 0, sizeof(image));
    image.version = PNG_IMAGE_VERSION;
  }
  ~PngState() { ::png_image_free(&image); }
  PngState(const PngState&) = delete;
  PngState& operator=(const PngState&) = delete;
  png_image image;
};

void check_size(const png_image& image, const std::string& name) {
  const std::int64_t pixels = std::int64_t{image.width} * image.height;
  if (image.width >= 1 && image.height >= 1 && image.width <= kMaxImageSide &&
      image.height <= kMaxImageSide && pixels <= kMaxImagePixels) {
    return;
  }
  throw Error(Code::kCorruptFile,
              format("%s: expected at most %dx%d and %lld pixels, found %ux%u",
                     excerpt(name, 300).c_str(), kMaxImageSide, kMaxImageSide,
                     static_cast<long long>(kMaxImagePixels), image.width, image.height));
}

[[noreturn]] void fail(const png_image& image, const std::string& name) {
  throw Error(Code::kCorruptFile,
              format("%s: damaged PNG: %s", excerpt(name, 300).c_str(), image.message));
}

}  // namespace

Image decode_png(std::span<const std::byte> bytes, const std::string& name) {
  walk_png(bytes, name, [](const PngChunk&) {});
  PngState state;
  if (::png_image_begin_read_from_memory(&state.image, bytes.data(), bytes.size()) == 0) {
    fail(state.image, name);
  }
  check_size(state.image, name);
  state.image.format = PNG_FORMAT_RGB;
  Image out{static_cast<int>(state.image.width), static_cast<int>(state.image.height), {}};
  out.rgb.resize(PNG_IMAGE_SIZE(state.image), 255);
  const png_color white{255, 255, 255};
  if (::png_image_finish_read(&state.image, &white, out.rgb.data(), 0, nullptr) == 0) {
    fail(state.image, name);
  }
  return out;
}

}  // namespace octet
