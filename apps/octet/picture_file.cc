#include "picture_file.h"

#include "image/provenance.h"
#include "repeat.h"

namespace octet::cli {

std::vector<std::byte> encode_picture_file(const RunReport& report, const Picture& picture,
                                           std::vector<std::string>& warnings) {
  const Image image{.width = picture.width, .height = picture.height, .rgb = picture.rgb};
  EncodeOptions options{.threads = report.options.engine.threads};
  if (!describe_picture(record_of(report, picture), report.outputs.format,
                        !report.options.no_provenance, options)) {
    warnings.emplace_back("the settings are too long for a JPEG: its XMP says its origin only");
  }
  return encode(image, report.outputs.format, options);
}

}  // namespace octet::cli
