#include <cstdio>
// jpeglib.h needs FILE from <cstdio>.
#include <jpeglib.h>

#include <csetjmp>
#include <cstdlib>
#include <memory>

#include "base/format.h"
#include "image/codecs.h"
#include "image/provenance.h"
#include "image/xmp_storage.h"
#include "octet/error.h"

namespace octet {
namespace {

struct JpegErrors {
  jpeg_error_mgr manager;
  std::jmp_buf jump;
  char message[JMSG_LENGTH_MAX];
};

void on_error(j_common_ptr info) {
  auto* errors = reinterpret_cast<JpegErrors*>(info->err);
  info->err->format_message(info, errors->message);
  std::longjmp(errors->jump, 1);
}

void on_message(j_common_ptr) {}

struct JpegJob {
  const Image* image = nullptr;
  int quality = 0;
  std::string_view xmp;            // of an APP1 segment, its mark included
  unsigned char* bytes = nullptr;  // from malloc, by the library
  unsigned long size = 0;
  jpeg_compress_struct info;
  JpegErrors errors;
};

// longjmp passes through this function only; it has no local variables.
bool compress(JpegJob& job) {
  job.info.err = ::jpeg_std_error(&job.errors.manager);
  job.errors.manager.error_exit = on_error;
  job.errors.manager.output_message = on_message;
  if (setjmp(job.errors.jump) != 0) {
    ::jpeg_destroy_compress(&job.info);
    return false;
  }
  ::jpeg_create_compress(&job.info);
  ::jpeg_mem_dest(&job.info, &job.bytes, &job.size);
  job.info.image_width = static_cast<JDIMENSION>(job.image->width);
  job.info.image_height = static_cast<JDIMENSION>(job.image->height);
  job.info.input_components = 3;
  job.info.in_color_space = JCS_RGB;
  ::jpeg_set_defaults(&job.info);
  ::jpeg_set_quality(&job.info, job.quality, TRUE);
  job.info.optimize_coding = TRUE;
  job.info.dct_method = JDCT_ISLOW;
  job.info.comp_info[0].h_samp_factor = job.info.comp_info[0].v_samp_factor = 1;
  ::jpeg_start_compress(&job.info, TRUE);
  if (!job.xmp.empty()) {
    ::jpeg_write_marker(&job.info, JPEG_APP0 + 1, reinterpret_cast<const JOCTET*>(job.xmp.data()),
                        static_cast<unsigned>(job.xmp.size()));
  }
  while (job.info.next_scanline < job.info.image_height) {
    JSAMPROW row = const_cast<JSAMPROW>(job.image->rgb.data()) +
                   std::size_t{job.info.next_scanline} * job.info.image_width * 3;
    ::jpeg_write_scanlines(&job.info, &row, 1);
  }
  ::jpeg_finish_compress(&job.info);
  ::jpeg_destroy_compress(&job.info);
  return true;
}

}  // namespace

std::vector<std::byte> encode_jpeg(const Image& image, const EncodeOptions& options) {
  if (options.xmp.size() > kMaxJpegXmp) {
    throw Error(Code::kInvalidArgument, format("jpeg: expected XMP of at most %zu bytes, found %zu",
                                               kMaxJpegXmp, options.xmp.size()));
  }
  const std::string xmp = std::string(kJpegXmpMark) + options.xmp;
  JpegJob job{};
  job.image = &image;
  job.quality = options.jpeg_quality;
  if (!options.xmp.empty()) job.xmp = xmp;
  const bool done = compress(job);
  const std::unique_ptr<unsigned char, void (*)(void*)> owner(job.bytes, std::free);
  if (!done) {
    throw Error(Code::kOutOfMemory, format("jpeg: cannot encode: %s", job.errors.message));
  }
  const auto* begin = reinterpret_cast<const std::byte*>(job.bytes);
  return {begin, begin + job.size};
}

}  // namespace octet
