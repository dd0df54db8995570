// PNG through libpng's plain interface: the simplified one would change the brightness of 16-bit
// files that do not name their gamma.
#include <png.h>

#include <csetjmp>
#include <cstring>

#include "base/format.h"
#include "image/decoders.h"
#include "image/png_text.h"
#include "octet/error.h"

namespace octet {
namespace {

constexpr std::size_t kMaxChunks = 65536;  // Octet's own files have up to 700
constexpr png_uint_32 kMaxKeptChunks = 64;
constexpr png_alloc_size_t kMaxChunkBytes = 8u << 20;  // of one that libpng keeps

struct Job {
  Job() = default;
  ~Job() { ::png_destroy_read_struct(&png, &info, nullptr); }
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;

  png_structp png = nullptr;
  png_infop info = nullptr;
  std::span<const std::byte> rest;
  std::jmp_buf jump{};
  char message[200] = {};
  png_uint_32 width = 0, height = 0;
  png_bytepp rows = nullptr;
};

void on_error(png_structp png, png_const_charp message) {
  auto* job = static_cast<Job*>(::png_get_error_ptr(png));
  std::strncpy(job->message, message, sizeof(job->message) - 1);
  std::longjmp(job->jump, 1);
}

void on_warning(png_structp, png_const_charp) {}

void take(png_structp png, png_bytep to, std::size_t size) {
  auto* job = static_cast<Job*>(::png_get_io_ptr(png));
  if (size > job->rest.size()) ::png_error(png, "truncated");
  std::memcpy(to, job->rest.data(), size);
  job->rest = job->rest.subspan(size);
}

// longjmp passes through the next two functions only; they have nothing to destroy.
bool read_header(Job& job) {
  if (setjmp(job.jump) != 0) return false;
  job.png = ::png_create_read_struct(PNG_LIBPNG_VER_STRING, &job, on_error, on_warning);
  if (job.png == nullptr) return false;
  job.info = ::png_create_info_struct(job.png);
  if (job.info == nullptr) return false;
  ::png_set_user_limits(job.png, kMaxInputSide, kMaxInputSide);
  ::png_set_chunk_cache_max(job.png, kMaxKeptChunks);
  ::png_set_chunk_malloc_max(job.png, kMaxChunkBytes);
  ::png_set_read_fn(job.png, &job, take);
  ::png_read_info(job.png, job.info);
  return true;
}

bool read_pixels(Job& job) {
  if (setjmp(job.jump) != 0) return false;
  ::png_set_scale_16(job.png);
  ::png_set_expand(job.png);
  ::png_set_gray_to_rgb(job.png);
  ::png_set_add_alpha(job.png, 0xff, PNG_FILLER_AFTER);
  (void)::png_set_interlace_handling(job.png);
  ::png_read_update_info(job.png, job.info);
  if (::png_get_rowbytes(job.png, job.info) != std::size_t{4} * job.width) {
    ::png_error(job.png, "unexpected pixel format");
  }
  ::png_read_image(job.png, job.rows);
  ::png_read_end(job.png, nullptr);
  return true;
}

[[noreturn]] void fail(const Job& job, const std::string& name) {
  if (job.info == nullptr || std::strcmp(job.message, "Out of memory") == 0) {
    throw Error(Code::kOutOfMemory, excerpt(name, 300) + ": no memory to decode");
  }
  refuse_picture(name, std::string("damaged PNG: ") + job.message);
}

std::uint64_t number_at(const PngChunk& chunk, std::size_t at) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    value = value << 8 | std::to_integer<std::uint64_t>(chunk.data[at + i]);
  }
  return value;
}

// Whether the chunk says that the colours are not sRGB.
bool names_other_colours(const PngChunk& chunk) {
  if (chunk.type == "iCCP" || chunk.type == "cICP") return true;
  constexpr std::uint64_t kLeast = 45000, kMost = 46000;  // around 1/2.2, as sRGB files have it
  if (chunk.type != "gAMA" || chunk.data.size() != 4) return false;
  const std::uint64_t gamma = number_at(chunk, 0);
  return gamma < kLeast || gamma > kMost;
}

// What libpng would pass over or only warn of.
void check_chunks(std::span<const std::byte> bytes, const std::string& name, RawPicture& raw) {
  std::size_t count = 0;
  const auto visit = [&](const PngChunk& chunk) {
    if (chunk.type == "IHDR") check_input_size(number_at(chunk, 0), number_at(chunk, 4), name);
    if (chunk.type == "acTL") refuse_picture(name, "expected one picture, found an animation");
    if (chunk.type == "eXIf") raw.orientation = exif_orientation(chunk.data);
    raw.has_profile = raw.has_profile || names_other_colours(chunk);
    if (++count > kMaxChunks) {
      refuse_picture(name, format("expected at most %zu chunks, found more", kMaxChunks));
    }
  };
  try {
    walk_png(bytes, name, visit);
  } catch (const Error& error) {
    if (error.code() != Code::kCorruptFile) throw;
    throw Error(Code::kInvalidArgument, error.what());
  }
}

}  // namespace

RawPicture decode_png_input(std::span<const std::byte> bytes, const std::string& name) {
  RawPicture raw;
  check_chunks(bytes, name, raw);
  Job job;
  job.rest = bytes;
  if (!read_header(job)) fail(job, name);
  job.width = ::png_get_image_width(job.png, job.info);
  job.height = ::png_get_image_height(job.png, job.info);
  check_input_size(job.width, job.height, name);
  raw.width = static_cast<int>(job.width);
  raw.height = static_cast<int>(job.height);
  raw.rgba.resize(std::size_t{4} * job.width * job.height);
  std::vector<png_bytep> rows(job.height);
  for (std::size_t y = 0; y < rows.size(); ++y) rows[y] = raw.rgba.data() + 4 * job.width * y;
  job.rows = rows.data();
  if (!read_pixels(job)) fail(job, name);
  return raw;
}

}  // namespace octet
