#include <cstdio>
// jpeglib.h needs FILE from <cstdio>.
#include <jerror.h>
#include <jpeglib.h>

#include <csetjmp>
#include <cstring>

#include "base/format.h"
#include "image/decoders.h"
#include "octet/error.h"

namespace octet {
namespace {

constexpr int kMaxScans = 100;  // of a progressive file; writers use about 10

struct Errors {
  jpeg_error_mgr manager;
  std::jmp_buf jump;
  char message[JMSG_LENGTH_MAX];
};

struct Job {
  Job() = default;
  ~Job() { ::jpeg_destroy_decompress(&info); }  // also when nothing was created
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;

  jpeg_decompress_struct info{};
  Errors errors{};
  jpeg_progress_mgr progress{};
  std::span<const std::byte> bytes;
  unsigned char* row = nullptr;  // RGB, of one line
  unsigned char* rgba = nullptr;
};

void on_error(j_common_ptr info) {
  auto* errors = reinterpret_cast<Errors*>(info->err);
  info->err->format_message(info, errors->message);
  std::longjmp(errors->jump, 1);
}

// Warnings are data that the library made up or left out. Bytes between markers are harmless, and
// cameras write them.
void on_warning(j_common_ptr info, int level) {
  if (level < 0 && info->err->msg_code != JWRN_EXTRANEOUS_DATA) on_error(info);
}

void on_message(j_common_ptr) {}

void on_progress(j_common_ptr info) {
  if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number <= kMaxScans) return;
  auto* errors = reinterpret_cast<Errors*>(info->err);
  std::snprintf(errors->message, sizeof(errors->message), "more than %d scans", kMaxScans);
  std::longjmp(errors->jump, 1);
}

// longjmp passes through the next two functions only; they have nothing to destroy.
bool read_header(Job& job) {
  job.info.err = ::jpeg_std_error(&job.errors.manager);
  job.errors.manager.error_exit = on_error;
  job.errors.manager.emit_message = on_warning;
  job.errors.manager.output_message = on_message;
  if (setjmp(job.errors.jump) != 0) return false;
  jpeg_create_decompress(&job.info);
  job.progress.progress_monitor = on_progress;
  job.info.progress = &job.progress;
  ::jpeg_mem_src(&job.info, reinterpret_cast<const unsigned char*>(job.bytes.data()),
                 static_cast<unsigned long>(job.bytes.size()));
  constexpr unsigned kWhole = 0xffff;
  ::jpeg_save_markers(&job.info, JPEG_APP0 + 1, kWhole);  // EXIF
  ::jpeg_save_markers(&job.info, JPEG_APP0 + 2, kWhole);  // colour profile
  ::jpeg_read_header(&job.info, TRUE);
  return true;
}

bool read_pixels(Job& job) {
  if (setjmp(job.errors.jump) != 0) return false;
  job.info.out_color_space = JCS_RGB;
  job.info.dct_method = JDCT_ISLOW;
  ::jpeg_start_decompress(&job.info);
  while (job.info.output_scanline < job.info.output_height) {
    ::jpeg_read_scanlines(&job.info, &job.row, 1);
    for (JDIMENSION x = 0; x < job.info.output_width; ++x) {
      std::memcpy(job.rgba, job.row + std::size_t{3} * x, 3);
      job.rgba[3] = 255;
      job.rgba += 4;
    }
  }
  ::jpeg_finish_decompress(&job.info);
  return true;
}

bool starts(const jpeg_marker_struct& marker, int type, std::string_view mark) {
  return marker.marker == JPEG_APP0 + type && marker.data_length >= mark.size() &&
         std::memcmp(marker.data, mark.data(), mark.size()) == 0;
}

void read_markers(const Job& job, RawPicture& raw) {
  constexpr std::string_view kExif("Exif\0\0", 6);
  for (const jpeg_marker_struct* m = job.info.marker_list; m != nullptr; m = m->next) {
    if (starts(*m, 1, kExif)) {
      raw.orientation =
          exif_orientation(std::as_bytes(std::span(m->data, m->data_length)).subspan(kExif.size()));
    }
    raw.has_profile = raw.has_profile || starts(*m, 2, "ICC_PROFILE");
  }
}

void check_colours(const Job& job, const std::string& name) {
  const J_COLOR_SPACE space = job.info.jpeg_color_space;
  if (space == JCS_GRAYSCALE || space == JCS_RGB || space == JCS_YCbCr) return;
  const bool cmyk = space == JCS_CMYK || space == JCS_YCCK;
  refuse_picture(name, format("expected grey or RGB colours, found %s",
                              cmyk ? "CMYK" : "a JPEG of unknown colours"));
}

[[noreturn]] void fail(const Job& job, const std::string& name) {
  if (job.errors.manager.msg_code == JERR_OUT_OF_MEMORY) {
    throw Error(Code::kOutOfMemory, excerpt(name, 300) + ": no memory to decode");
  }
  refuse_picture(name, std::string("damaged JPEG: ") + job.errors.message);
}

}  // namespace

RawPicture decode_jpeg_input(std::span<const std::byte> bytes, const std::string& name) {
  Job job;
  job.bytes = bytes;
  if (!read_header(job)) fail(job, name);
  check_input_size(job.info.image_width, job.info.image_height, name);
  check_colours(job, name);
  RawPicture raw{.width = static_cast<int>(job.info.image_width),
                 .height = static_cast<int>(job.info.image_height),
                 .rgba = {}};
  read_markers(job, raw);
  std::vector<unsigned char> row(std::size_t{3} * job.info.image_width);
  raw.rgba.resize(std::size_t{4} * job.info.image_width * job.info.image_height);
  job.row = row.data();
  job.rgba = raw.rgba.data();
  if (!read_pixels(job)) fail(job, name);
  return raw;
}

}  // namespace octet
