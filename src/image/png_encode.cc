// PNG files, compressed by several threads.
//
// The filtered rows are cut into strips of a fixed size. Each is compressed on its own, but sees
// the 32 KiB before it as its dictionary, so that hardly a byte is lost to the cuts; all but the
// last end on a byte border (Z_SYNC_FLUSH), so the results one after the other are one zlib stream
// (RFC 1950, 1951). Each strip is an IDAT chunk. Cuts depend on the picture alone: so do the bytes.
#include <zlib.h>

#include <algorithm>

#include "base/check.h"
#include "base/thread_pool.h"
#include "image/codecs.h"
#include "image/png_filter.h"
#include "image/png_text.h"
#include "image/xmp_storage.h"

namespace octet {
namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr std::size_t kStrip = std::size_t{96} << 10;
constexpr std::size_t kWindow = std::size_t{32} << 10;  // the farthest that DEFLATE looks back
constexpr int kLevel = 6;  // zlib's own choice: lower ones are faster, but files grow by up to 24 %
constexpr std::int64_t kRowsAtOnce = 16;  // of a task that filters

std::size_t row_bytes(const Image& image) { return static_cast<std::size_t>(image.width) * 3; }

void append(Bytes& out, std::uint32_t value, int bytes) {
  for (int i = bytes - 1; i >= 0; --i) out.push_back(static_cast<std::uint8_t>(value >> 8 * i));
}

// A chunk under construction: close() fills in its length and adds its checksum.
Bytes open_chunk(const char (&type)[5]) {
  Bytes chunk = {0, 0, 0, 0};
  for (int i = 0; i < 4; ++i) chunk.push_back(static_cast<std::uint8_t>(type[i]));
  return chunk;
}

Bytes close_chunk(Bytes chunk) {
  const auto length = static_cast<std::uint32_t>(chunk.size() - 8);
  for (std::size_t i = 0; i < 4; ++i) chunk[i] = static_cast<std::uint8_t>(length >> (24 - 8 * i));
  append(chunk, static_cast<std::uint32_t>(::crc32_z(0, chunk.data() + 4, chunk.size() - 4)), 4);
  return chunk;
}

Bytes header(const Image& image) {
  Bytes out = {0x89, 'P', 'N', 'G', 0x0d, 0x0a, 0x1a, 0x0a};
  const auto add = [&](const Bytes& chunk) { out.insert(out.end(), chunk.begin(), chunk.end()); };
  Bytes size = open_chunk("IHDR");
  append(size, static_cast<std::uint32_t>(image.width), 4);
  append(size, static_cast<std::uint32_t>(image.height), 4);
  // 8 bits, RGB, DEFLATE, filters by row, not interlaced.
  for (const std::uint32_t field : {8u, 2u, 0u, 0u, 0u}) append(size, field, 1);
  add(close_chunk(std::move(size)));
  Bytes colour = open_chunk("sRGB");
  colour.push_back(0);  // perceptual
  add(close_chunk(std::move(colour)));
  return out;
}

Bytes filtered(const Image& image, ThreadPool& pool) {
  const std::size_t row = row_bytes(image);
  Bytes out(static_cast<std::size_t>(image.height) * (row + 1));
  std::vector<FilterScratch> scratch(static_cast<std::size_t>(pool.threads()), FilterScratch(row));
  const std::int64_t tasks = (image.height + kRowsAtOnce - 1) / kRowsAtOnce;
  pool.parallel_for(tasks, [&](std::int64_t task, int worker) {
    const std::int64_t end = std::min<std::int64_t>((task + 1) * kRowsAtOnce, image.height);
    for (std::int64_t y = task * kRowsAtOnce; y < end; ++y) {
      const auto at = static_cast<std::size_t>(y);
      const std::uint8_t* source = image.rgb.data() + at * row;
      filter_row(out.data() + at * (row + 1), source, y == 0 ? nullptr : source - row, row,
                 scratch[static_cast<std::size_t>(worker)]);
    }
  });
  return out;
}

struct Deflater {
  Deflater() { ready = ::deflateInit2(&stream, kLevel, Z_DEFLATED, -15, 8, Z_FILTERED) == Z_OK; }
  ~Deflater() {
    if (ready) ::deflateEnd(&stream);
  }
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;
  z_stream stream{};
  bool ready = false;
};

struct Strip {
  Bytes chunk;
  std::size_t size = 0;  // of what it holds
  uLong adler = 0;
};

Strip compress(Bytes& data, std::size_t begin) {
  Strip strip;
  strip.size = std::min(kStrip, data.size() - begin);
  strip.adler = ::adler32_z(::adler32_z(0, nullptr, 0), data.data() + begin, strip.size);
  strip.chunk = open_chunk("IDAT");
  if (begin == 0) append(strip.chunk, 0x789c, 2);  // 32 KiB, no dictionary
  Deflater deflater;
  if (!deflater.ready) throw Error(Code::kOutOfMemory, "png: no memory to compress");
  z_stream& z = deflater.stream;
  const std::size_t before = std::min(begin, kWindow);
  if (before > 0) {
    (void)::deflateSetDictionary(&z, data.data() + begin - before, static_cast<uInt>(before));
  }
  const std::size_t start = strip.chunk.size();
  constexpr std::size_t kFlush = 16;  // more than a flush adds
  strip.chunk.resize(start + ::deflateBound(&z, static_cast<uLong>(strip.size)) + kFlush);
  z.next_in = data.data() + begin;
  z.avail_in = static_cast<uInt>(strip.size);
  z.next_out = strip.chunk.data() + start;
  z.avail_out = static_cast<uInt>(strip.chunk.size() - start);
  const bool last = begin + strip.size == data.size();
  const int status = ::deflate(&z, last ? Z_FINISH : Z_SYNC_FLUSH);
  OCTET_CHECK(status == (last ? Z_STREAM_END : Z_OK) && z.avail_in == 0 && z.avail_out > 0,
              "[png] deflate: %d", status);
  strip.chunk.erase(strip.chunk.end() - static_cast<std::ptrdiff_t>(z.avail_out),
                    strip.chunk.end());  // resize: g++ 12 warns of growth when sanitizers are on
  strip.chunk = close_chunk(std::move(strip.chunk));
  return strip;
}

std::vector<Strip> compressed(Bytes& data, ThreadPool& pool) {
  std::vector<Strip> strips((data.size() + kStrip - 1) / kStrip);
  pool.parallel_for(static_cast<std::int64_t>(strips.size()), [&](std::int64_t i, int) {
    const auto at = static_cast<std::size_t>(i);
    strips[at] = compress(data, at * kStrip);
  });
  return strips;
}

}  // namespace

std::vector<std::byte> encode_png(const Image& image, const EncodeOptions& options) {
  ThreadPool pool(options.threads);
  Bytes data = filtered(image, pool);
  const std::vector<Strip> strips = compressed(data, pool);
  uLong adler = ::adler32_z(0, nullptr, 0);
  std::size_t size = 0;
  for (const Strip& s : strips) {
    adler = ::adler32_combine(adler, s.adler, static_cast<z_off_t>(s.size));
    size += s.chunk.size();
  }
  Bytes end = open_chunk("IDAT");
  append(end, static_cast<std::uint32_t>(adler), 4);
  const Bytes first = header(image);
  std::vector<PngText> texts = options.texts;
  if (!options.xmp.empty()) texts.push_back({kPngXmpKeyword, options.xmp});
  std::vector<std::byte> png(insert_png_texts(std::as_bytes(std::span(first)), texts));
  png.reserve(png.size() + size + 64);
  const auto add = [&](const Bytes& bytes) {
    const auto span = std::as_bytes(std::span(bytes));
    png.insert(png.end(), span.begin(), span.end());
  };
  for (const Strip& s : strips) add(s.chunk);
  add(close_chunk(std::move(end)));
  add(close_chunk(open_chunk("IEND")));
  return png;
}

}  // namespace octet
