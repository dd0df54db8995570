#include "checkpoint/gguf_cursor.h"

#include <algorithm>
#include <cstring>

#include "base/format.h"
#include "octet/error.h"

namespace octet {
namespace {

constexpr std::uint64_t kMaxHeader = std::uint64_t{100} << 20;
constexpr std::uint64_t kWindow = std::uint64_t{64} << 10;

// Length of the UTF-8 character at `at`, 0 when there is none: no overlong forms, no surrogates.
std::size_t character(const std::string& text, std::size_t at) {
  const auto byte = [&](std::size_t i) {
    return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0u;
  };
  const auto tail = [&](std::size_t i) { return (byte(i) & 0xC0) == 0x80; };
  const unsigned first = byte(0);
  if (first > 0 && first < 0x80) return 1;
  if (first >= 0xC2 && first < 0xE0) return tail(1) ? 2 : 0;
  if (first >= 0xE0 && first < 0xF0) {
    const bool overlong = first == 0xE0 && byte(1) < 0xA0;
    const bool surrogate = first == 0xED && byte(1) >= 0xA0;
    return tail(1) && tail(2) && !overlong && !surrogate ? 3 : 0;
  }
  if (first >= 0xF0 && first < 0xF5) {
    const bool overlong = first == 0xF0 && byte(1) < 0x90;
    const bool beyond = first == 0xF4 && byte(1) >= 0x90;
    return tail(1) && tail(2) && tail(3) && !overlong && !beyond ? 4 : 0;
  }
  return 0;
}

bool is_utf8(const std::string& text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = character(text, at);
    if (length == 0) return false;
    at += length;
  }
  return true;
}

}  // namespace

GgufCursor::GgufCursor(const ByteSource& source)
    : source_(source), end_(std::min(source.size(), kMaxHeader)) {}

void GgufCursor::fail(const std::string& what) const {
  throw Error(Code::kCorruptFile, format("%s: GGUF header at byte %llu: %s", source_.name().c_str(),
                                         static_cast<unsigned long long>(position_), what.c_str()));
}

void GgufCursor::require(std::uint64_t bytes) const {
  if (bytes <= end_ - position_) return;
  fail(format("expected %llu more bytes, found %llu%s", static_cast<unsigned long long>(bytes),
              static_cast<unsigned long long>(end_ - position_),
              end_ < source_.size() ? " up to the limit of 100 MiB" : " (truncated)"));
}

void GgufCursor::read(std::span<std::byte> destination) {
  require(destination.size());
  while (!destination.empty()) {
    if (position_ < window_begin_ || position_ >= window_begin_ + window_.size()) {
      window_begin_ = position_;
      window_.resize(static_cast<std::size_t>(std::min(kWindow, end_ - position_)));
      source_.read(position_, window_);
    }
    const auto from = static_cast<std::size_t>(position_ - window_begin_);
    const std::size_t count = std::min(destination.size(), window_.size() - from);
    std::memcpy(destination.data(), window_.data() + from, count);
    destination = destination.subspan(count);
    position_ += count;
  }
}

std::uint64_t GgufCursor::number(std::uint64_t bytes) {
  std::byte raw[8] = {};
  read(std::span(raw).first(static_cast<std::size_t>(bytes)));
  std::uint64_t value = 0;
  for (int i = 7; i >= 0; --i) value = value << 8 | std::to_integer<std::uint64_t>(raw[i]);
  return value;
}

std::string GgufCursor::text(const char* what, std::uint64_t most_bytes) {
  const std::uint64_t length = number(8);
  if (length > most_bytes) {
    fail(format("expected a %s of at most %llu bytes, found %llu", what,
                static_cast<unsigned long long>(most_bytes),
                static_cast<unsigned long long>(length)));
  }
  require(length);
  std::string value(static_cast<std::size_t>(length), '\0');
  read(std::as_writable_bytes(std::span(value)));
  if (!is_utf8(value)) fail(format("expected a %s in UTF-8, found other bytes", what));
  return value;
}

void GgufCursor::skip(std::uint64_t bytes) {
  require(bytes);
  position_ += bytes;
}

}  // namespace octet
