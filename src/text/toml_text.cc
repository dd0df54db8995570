#include "text/toml_text.h"

#include <algorithm>

#include "base/format.h"
#include "octet/error.h"
#include "text/unicode.h"

namespace octet {
namespace {

// toml++ bounds nested values but not the parts of a dotted key, and walks both by recursion:
// millions of parts end in a stack overflow. Dots in strings and comments count too, which is
// simple and safe.
void refuse_deep_keys(const std::string& text, const std::string& name) {
  constexpr int kMostDots = 64;
  int dots = 0;
  int line = 1;
  for (const char c : text) {
    if (c == '\n') {
      ++line;
      dots = 0;
    } else if (c == '.' && ++dots > kMostDots) {
      throw Error(Code::kRefused, format("%s: line %d: expected at most %d dots, found more",
                                         name.c_str(), line, kMostDots));
    }
  }
}

}  // namespace

// toml++ 3.3 must not see the characters themselves: between tokens its test for white space has
// undefined behaviour for some (U+FC46 and others; found by fuzz_lock).
std::string toml_text(const std::string& text, const std::string& name) {
  refuse_deep_keys(text, name);
  if (const auto at = unicode::find_invalid_utf8(text)) {
    const auto line =
        1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(*at), '\n');
    throw Error(Code::kRefused, format("%s: line %td: expected TOML in UTF-8, found byte 0x%02x",
                                       name.c_str(), line, static_cast<unsigned char>(text[*at])));
  }
  std::string out;
  out.reserve(text.size());
  for (const char32_t code : unicode::decode_utf8(text, name)) {
    out += code < 0x80 ? std::string(1, static_cast<char>(code))
                       : format("\\U%08X", static_cast<unsigned>(code));
  }
  return out;
}

}  // namespace octet
