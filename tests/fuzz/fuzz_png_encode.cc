// Fuzz target: pictures of any size and content become PNG files that hold them. The first bytes
// choose sides and threads; all are pixels, repeated to fill the picture, and the rest is a text.
#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "image/image.h"
#include "octet/error.h"

namespace {

// Large enough for two strips of the encoder, most far smaller, for many pictures a second.
constexpr int kWidest = 400, kHighest = 100;

octet::Image picture_of(const std::uint8_t* data, std::size_t size) {
  octet::Image image{.width = 1 + (data[0] | data[1] << 8) % kWidest,
                     .height = 1 + (data[2] | data[3] << 8) % kHighest};
  const auto bytes = static_cast<std::size_t>(image.width) * static_cast<std::size_t>(image.height);
  image.rgb.resize(3 * bytes);
  for (std::size_t i = 0; i < image.rgb.size(); ++i) image.rgb[i] = data[i % size];
  return image;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kHead = 5, kText = 200;
  if (size < kHead) return 0;
  const octet::Image image = picture_of(data, size);
  octet::EncodeOptions options;
  const std::string text(reinterpret_cast<const char*>(data) + kHead,
                         std::min(size - kHead, kText));
  if (!text.empty()) options.texts.push_back({.keyword = "parameters", .text = text});
  std::vector<std::byte> file;
  try {
    options.threads = 1 + data[4] % 3;
    file = octet::encode(image, octet::ImageFormat::kPng, options);
  } catch (const octet::Error& e) {  // a text that is none
    if (e.code() != octet::Code::kInvalidArgument) std::abort();
    options.texts.clear();
    file = octet::encode(image, octet::ImageFormat::kPng, options);
  }
  if (octet::decode_png(file, "fuzz").rgb != image.rgb) std::abort();
  if (!options.texts.empty() && octet::read_png_parameters(file, "fuzz") != text) std::abort();
  options.threads = 1;  // the bytes do not depend on them
  if (octet::encode(image, octet::ImageFormat::kPng, options) != file) std::abort();
  return 0;
}
