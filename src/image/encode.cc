#include <algorithm>

#include "base/check.h"
#include "image/codecs.h"

namespace octet {
namespace {

struct FormatRow {
  ImageFormat format;
  const char* name;
  int max_side;  // of the format; PNG: of this program
};

constexpr FormatRow kFormats[] = {
    {ImageFormat::kPng, "png", kMaxImageSide},
    {ImageFormat::kJpeg, "jpeg", 65500},
    {ImageFormat::kWebp, "webp", 16383},
};

struct SuffixRow {
  const char* suffix;
  ImageFormat format;
};

constexpr SuffixRow kSuffixes[] = {
    {"png", ImageFormat::kPng},
    {"jpg", ImageFormat::kJpeg},
    {"jpeg", ImageFormat::kJpeg},
    {"webp", ImageFormat::kWebp},
};

const FormatRow& row_of(ImageFormat format) {
  for (const FormatRow& row : kFormats) {
    if (row.format == format) return row;
  }
  throw Error(Code::kInternal, "unknown image format");
}

void check_option(const char* name, int value, int low, int high) {
  if (value >= low && value <= high) return;
  throw Error(Code::kInvalidArgument,
              format("%s: expected %d..%d, found %d", name, low, high, value));
}

void check_image(const Image& image, const FormatRow& row) {
  OCTET_CHECK(image.width > 0 && image.height > 0, "%dx%d", image.width, image.height);
  const std::int64_t bytes = std::int64_t{3} * image.width * image.height;
  OCTET_CHECK(static_cast<std::int64_t>(image.rgb.size()) == bytes, "%zu bytes for %dx%d",
              image.rgb.size(), image.width, image.height);
  if (image.width <= row.max_side && image.height <= row.max_side) return;
  throw Error(Code::kInvalidArgument, format("%s: expected sides of at most %d, found %dx%d",
                                             row.name, row.max_side, image.width, image.height));
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

std::vector<std::byte> encode(const Image& image, ImageFormat format,
                              const EncodeOptions& options) {
  check_image(image, row_of(format));
  check_option("jpeg quality", options.jpeg_quality, 1, 100);
  check_option("webp quality", options.webp_quality, 0, 100);
  switch (format) {
    case ImageFormat::kPng:
      return encode_png(image, options);
    case ImageFormat::kJpeg:
      return encode_jpeg(image, options);
    case ImageFormat::kWebp:
      return encode_webp(image, options);
  }
  throw Error(Code::kInternal, "unknown image format");
}

ImageFormat format_from_suffix(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  const std::string_view name = slash == path.npos ? path : path.substr(slash + 1);
  const std::size_t dot = name.rfind('.');
  std::string suffix(dot == name.npos ? "" : name.substr(dot + 1));
  std::transform(suffix.begin(), suffix.end(), suffix.begin(), lower);
  std::string known;
  for (const SuffixRow& row : kSuffixes) {
    if (suffix == row.suffix) return row.format;
    known += known.empty() ? "." : ", .";
    known += row.suffix;
  }
  throw Error(Code::kInvalidArgument,
              octet::format("output: expected a file name ending in %s, found '%s'", known.c_str(),
                            excerpt(std::string(path)).c_str()));
}

const char* format_name(ImageFormat format) { return row_of(format).name; }

}  // namespace octet
