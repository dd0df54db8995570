#include "picture_file.h"

#include "image/provenance.h"
#include "image/record.h"

namespace octet::cli {

std::vector<std::byte> encode_picture_file(const DrawnPicture& drawn, ImageFormat format,
                                           std::vector<std::string>& warnings) {
  const GenerateOptions& given = drawn.options;
  const Picture& picture = drawn.picture;
  const Image image{.width = picture.width, .height = picture.height, .rgb = picture.rgb};
  EncodeOptions options{.threads = given.engine.threads};
  const PictureParameters record = record_of({.engine = given.engine,
                                              .model = drawn.model,
                                              .request = given.request,
                                              .used = drawn.used,
                                              .picture = picture,
                                              .init_digest = given.init_digest,
                                              .mask_digest = given.mask_digest});
  if (!describe_picture(record, format, !given.no_provenance, options)) {
    warnings.emplace_back("the settings are too long for a JPEG: its XMP says its origin only");
  }
  return encode(image, format, options);
}

}  // namespace octet::cli
