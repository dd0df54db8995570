#include "picture_file.h"

#include "image/provenance.h"
#include "image/record.h"

namespace octet::cli {

std::vector<std::byte> encode_picture_file(const RunReport& report, const Picture& picture,
                                           std::vector<std::string>& warnings) {
  const Image image{.width = picture.width, .height = picture.height, .rgb = picture.rgb};
  EncodeOptions options{.threads = report.options.engine.threads};
  const PictureParameters record = record_of({.engine = report.options.engine,
                                              .model = report.model,
                                              .request = report.options.request,
                                              .used = report.result.used,
                                              .picture = picture,
                                              .init_digest = report.options.init_digest,
                                              .mask_digest = report.options.mask_digest});
  if (!describe_picture(record, report.outputs.format, !report.options.no_provenance, options)) {
    warnings.emplace_back("the settings are too long for a JPEG: its XMP says its origin only");
  }
  return encode(image, report.outputs.format, options);
}

}  // namespace octet::cli
