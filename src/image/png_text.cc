#include "image/png_text.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/format.h"
#include "image/xmp_storage.h"
#include "octet/error.h"

namespace octet {
namespace {

constexpr std::size_t kSignatureSize = 8;
constexpr unsigned char kSignature[kSignatureSize] = {0x89, 'P', 'N', 'G', 0x0d, 0x0a, 0x1a, 0x0a};
constexpr std::size_t kChunkOverhead = 12;  // length, type, CRC
constexpr std::size_t kHeaderEnd = kSignatureSize + kChunkOverhead + 13;

[[noreturn]] void corrupt(const std::string& name, const std::string& what) {
  throw Error(Code::kCorruptFile, excerpt(name, 300) + ": " + what);
}

std::uint32_t read_u32(std::span<const std::byte> bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    value = value << 8 | std::to_integer<std::uint32_t>(bytes[at + i]);
  }
  return value;
}

void append_u32(std::string& out, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift));
}

std::uint32_t crc_of(const void* data, std::size_t size) {
  return static_cast<std::uint32_t>(::crc32_z(0, static_cast<const unsigned char*>(data), size));
}

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Takes the part before the next NUL from `rest`; false when there is none.
bool take_until_nul(std::string_view& rest, std::string_view& part) {
  const std::size_t end = rest.find('\0');
  if (end == std::string_view::npos) return false;
  part = rest.substr(0, end);
  rest.remove_prefix(end + 1);
  return true;
}

std::string latin1_to_utf8(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      out.push_back(c);
    } else {
      out.push_back(static_cast<char>(0xc0 | byte >> 6));
      out.push_back(static_cast<char>(0x80 | (byte & 0x3f)));
    }
  }
  return out;
}

struct Inflater {
  Inflater() { ready = ::inflateInit(&stream) == Z_OK; }
  ~Inflater() {
    if (ready) ::inflateEnd(&stream);
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  z_stream stream{};
  bool ready = false;
};

// A complete zlib stream, growing by need so that a small bomb cannot claim much memory.
std::string inflate_text(std::string_view packed, const std::string& name) {
  Inflater inflater;
  if (!inflater.ready) throw Error(Code::kOutOfMemory, "png text: no memory to decompress");
  z_stream& stream = inflater.stream;
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());  // chunk lengths fit 31 bits
  std::string out;
  std::array<char, 16384> piece;
  for (int status = Z_OK; status != Z_STREAM_END;) {
    stream.next_out = reinterpret_cast<Bytef*>(piece.data());
    stream.avail_out = static_cast<uInt>(piece.size());
    status = ::inflate(&stream, Z_NO_FLUSH);
    if (status != Z_OK && status != Z_STREAM_END) corrupt(name, "damaged compressed text");
    out.append(piece.data(), piece.size() - stream.avail_out);
    if (out.size() > kMaxPngText) {
      corrupt(name, format("text: expected at most %zu bytes, found more", kMaxPngText));
    }
  }
  return out;
}

PngText parse_text(const PngChunk& chunk, const std::string& name) {
  std::string_view rest = as_text(chunk.data), keyword, language, translated;
  const auto fail = [&] { corrupt(name, "malformed text chunk " + std::string(chunk.type)); };
  if (!take_until_nul(rest, keyword)) fail();
  PngText out{latin1_to_utf8(keyword), {}};
  if (chunk.type == "tEXt") {
    out.text = latin1_to_utf8(rest);
  } else if (chunk.type == "zTXt") {
    if (rest.empty() || rest[0] != 0) fail();
    out.text = latin1_to_utf8(inflate_text(rest.substr(1), name));
  } else {
    if (rest.size() < 2 || (rest[0] != 0 && (rest[0] != 1 || rest[1] != 0))) fail();
    const bool packed = rest[0] == 1;
    rest.remove_prefix(2);
    if (!take_until_nul(rest, language) || !take_until_nul(rest, translated)) fail();
    out.text = packed ? inflate_text(rest, name) : std::string(rest);
  }
  return out;
}

void check_writable(const PngText& text) {
  const auto printable = [](char c) { return c > ' ' && c < 0x7f; };
  if (text.keyword.empty() || text.keyword.size() > 79 ||
      !std::all_of(text.keyword.begin(), text.keyword.end(), printable)) {
    throw Error(Code::kInvalidArgument, "png text: expected a keyword of 1..79 letters, found '" +
                                            excerpt(text.keyword) + "'");
  }
  if (text.text.find('\0') != std::string::npos || text.text.size() > kMaxPngText) {
    throw Error(Code::kInvalidArgument,
                format("png text %s: expected at most %zu bytes without NUL, found %zu bytes",
                       text.keyword.c_str(), kMaxPngText, text.text.size()));
  }
}

std::string text_chunk(const PngText& text) {
  check_writable(text);
  const bool ascii = text.keyword != kPngXmpKeyword &&  // which readers look for in iTXt only
                     std::all_of(text.text.begin(), text.text.end(),
                                 [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  std::string body = ascii ? "tEXt" : "iTXt";
  body += text.keyword;
  // iTXt: not compressed, method 0, no language, no translated keyword.
  body.append(ascii ? 1 : 5, '\0');
  body += text.text;
  std::string chunk;
  append_u32(chunk, static_cast<std::uint32_t>(body.size() - 4));
  chunk += body;
  append_u32(chunk, crc_of(body.data(), body.size()));
  return chunk;
}

}  // namespace

void walk_png(std::span<const std::byte> bytes, const std::string& name,
              const std::function<void(const PngChunk&)>& visit) {
  if (bytes.size() < kSignatureSize || std::memcmp(bytes.data(), kSignature, kSignatureSize) != 0) {
    corrupt(name, "expected a PNG file, found another format");
  }
  for (std::size_t at = kSignatureSize; true;) {
    const std::size_t left = bytes.size() - at;
    const std::size_t size = left >= kChunkOverhead ? read_u32(bytes, at) : 0;
    if (left < kChunkOverhead || size > left - kChunkOverhead) {
      corrupt(name, format("truncated PNG: the chunk at byte %zu does not end", at));
    }
    const PngChunk chunk{as_text(bytes.subspan(at + 4, 4)), bytes.subspan(at + 8, size)};
    if (crc_of(bytes.data() + at + 4, size + 4) != read_u32(bytes, at + 8 + size)) {
      corrupt(name, format("damaged PNG: wrong checksum of the chunk at byte %zu", at));
    }
    if (at == kSignatureSize && (chunk.type != "IHDR" || size != 13)) {
      corrupt(name, "damaged PNG: does not begin with its header");
    }
    visit(chunk);
    if (chunk.type == "IEND") return;
    at += kChunkOverhead + size;
  }
}

std::vector<std::byte> insert_png_texts(std::span<const std::byte> png,
                                        std::span<const PngText> texts) {
  std::string chunks;
  for (const PngText& text : texts) chunks += text_chunk(text);
  std::vector<std::byte> out(png.begin(), png.end());
  const auto* begin = reinterpret_cast<const std::byte*>(chunks.data());
  out.insert(out.begin() + kHeaderEnd, begin, begin + chunks.size());
  return out;
}

std::vector<PngText> read_png_texts(std::span<const std::byte> bytes, const std::string& name) {
  std::vector<PngText> texts;
  std::size_t total = 0;
  walk_png(bytes, name, [&](const PngChunk& chunk) {
    if (chunk.type != "tEXt" && chunk.type != "zTXt" && chunk.type != "iTXt") return;
    if (chunk.data.size() <= kMaxPngText && texts.size() < kMaxPngTexts) {
      texts.push_back(parse_text(chunk, name));
      total += texts.back().text.size();
      if (total <= 4 * kMaxPngText) return;
    }
    corrupt(name, format("texts: expected at most %zu of at most %zu bytes, found more",
                         kMaxPngTexts, kMaxPngText));
  });
  return texts;
}

std::optional<std::string> read_png_parameters(std::span<const std::byte> bytes,
                                               const std::string& name) {
  for (PngText& text : read_png_texts(bytes, name)) {
    if (text.keyword == "parameters") return std::move(text.text);
  }
  return std::nullopt;
}

}  // namespace octet
