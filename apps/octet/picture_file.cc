#include "picture_file.h"

#include "repeat.h"

namespace octet::cli {

std::vector<std::byte> encode_picture_file(const RunReport& report, const Picture& picture) {
  const Image image{.width = picture.width, .height = picture.height, .rgb = picture.rgb};
  EncodeOptions options{.threads = report.options.engine.threads};
  if (report.outputs.format == ImageFormat::kPng) {
    options.texts = picture_texts(record_of(report, picture));
  }
  return encode(image, report.outputs.format, options);
}

}  // namespace octet::cli
