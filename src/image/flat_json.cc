#include "image/flat_json.h"

#include <cctype>
#include <cstdint>

#include "base/format.h"
#include "octet/error.h"

namespace octet {
namespace {

[[noreturn]] void fail(std::size_t at, const char* expected) {
  throw Error(Code::kCorruptFile, format("json: expected %s at byte %zu", expected, at));
}

void append_utf8(std::string& out, std::uint32_t code) {
  const auto put = [&](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xc0 | code >> 6), put(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    put(0xe0 | code >> 12), put(0x80 | (code >> 6 & 0x3f)), put(0x80 | (code & 0x3f));
  } else {
    put(0xf0 | code >> 18), put(0x80 | (code >> 12 & 0x3f));
    put(0x80 | (code >> 6 & 0x3f)), put(0x80 | (code & 0x3f));
  }
}

// A reader over borrowed text; every step checks the end.
class Reader {
 public:
  Reader(std::string_view text, std::size_t at) : text_(text), at_(at) {}

  [[nodiscard]] std::size_t at() const { return at_; }
  [[nodiscard]] char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  [[nodiscard]] bool done() const { return at_ >= text_.size(); }

  void skip_space() {
    while (!done() && (peek() == ' ' || peek() == '\t' || peek() == '\n' || peek() == '\r')) ++at_;
  }
  bool accept(char c) {
    skip_space();
    if (done() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c, const char* what) {
    if (!accept(c)) fail(at_, what);
  }

  std::string string_literal() {
    expect('"', "a string");
    std::string out;
    while (!done() && peek() != '"') {
      const char c = text_[at_++];
      if (c == '\\') {
        escape(out);
      } else {
        out.push_back(c);
      }
    }
    if (done()) fail(at_, "the end of a string");
    ++at_;
    return out;
  }

  std::string bare_value() {
    skip_space();
    const std::size_t begin = at_;
    const auto part = [](char c) {
      return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '-' || c == '+';
    };
    while (!done() && part(peek())) ++at_;
    if (at_ == begin) fail(at_, "a string or a number");
    return std::string(text_.substr(begin, at_ - begin));
  }

 private:
  std::uint32_t four_hex_digits() {
    std::uint32_t value = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
      const char c = peek();
      const char low = static_cast<char>(c | 0x20);
      if (c >= '0' && c <= '9') {
        value = value * 16 + static_cast<std::uint32_t>(c - '0');
      } else if (low >= 'a' && low <= 'f') {
        value = value * 16 + static_cast<std::uint32_t>(low - 'a' + 10);
      } else {
        fail(at_, "four hexadecimal digits");
      }
    }
    return value;
  }

  void unicode_escape(std::string& out) {
    std::uint32_t code = four_hex_digits();
    if (code >= 0xd800 && code < 0xdc00) {
      if (text_.substr(at_, 2) != "\\u") fail(at_, "the second half of a character");
      at_ += 2;
      const std::uint32_t low = four_hex_digits();
      if (low < 0xdc00 || low > 0xdfff) fail(at_, "the second half of a character");
      code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    } else if (code >= 0xdc00 && code < 0xe000) {
      fail(at_, "the first half of a character");
    }
    append_utf8(out, code);
  }

  void escape(std::string& out) {
    constexpr std::string_view kNames = "\"\\/bfnrt", kValues = "\"\\/\b\f\n\r\t";
    const char c = peek();
    ++at_;
    const std::size_t found = kNames.find(c);
    if (c == 'u') {
      unicode_escape(out);
    } else if (c != '\0' && found != std::string_view::npos) {
      out.push_back(kValues[found]);
    } else {
      fail(at_ - 1, "an escape sequence");
    }
  }

  std::string_view text_;
  std::size_t at_;
};

}  // namespace

std::string json_quote(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (byte < 0x20 || byte == 0x7f) {
      out += format("\\u%04x", byte);
    } else {
      out += c;
    }
  }
  out += '"';
  return out;
}

std::string json_unquote(std::string_view text, std::size_t& at) {
  Reader reader(text, at);
  std::string value = reader.string_literal();
  at = reader.at();
  return value;
}

std::string write_flat_json(std::span<const JsonField> fields) {
  std::string out = "{";
  for (const JsonField& field : fields) {
    out += out.size() > 1 ? ", " : "";
    out += json_quote(field.key);
    out += ": ";
    out += field.quoted ? json_quote(field.value) : field.value;
  }
  return out + "}";
}

std::vector<JsonField> read_flat_json(std::string_view text) {
  Reader reader(text, 0);
  std::vector<JsonField> fields;
  reader.expect('{', "an object");
  if (!reader.accept('}')) {
    do {
      reader.skip_space();
      JsonField field{reader.string_literal(), {}, false};
      for (const JsonField& other : fields) {
        if (other.key == field.key) fail(reader.at(), "every key once");
      }
      reader.expect(':', "':'");
      reader.skip_space();
      field.quoted = reader.peek() == '"';
      field.value = field.quoted ? reader.string_literal() : reader.bare_value();
      fields.push_back(std::move(field));
      if (fields.size() > 256) fail(reader.at(), "at most 256 fields");
    } while (reader.accept(','));
    reader.expect('}', "',' or '}'");
  }
  reader.skip_space();
  if (!reader.done()) fail(reader.at(), "the end");
  return fields;
}

}  // namespace octet
