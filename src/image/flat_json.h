// The JSON that a picture carries: one object whose values are strings or numbers.
//
// Numbers stay text, so that 64-bit seeds keep every digit. Reading accepts true, false and null
// (as text of kind number) but no nesting. Errors: Error(kCorruptFile) with the byte position.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace octet {

struct JsonField {
  std::string key;
  std::string value;
  bool quoted = true;  // a string; else a number
};

/// `text` in double quotes; control characters, quotes and backslashes escaped, UTF-8 kept.
[[nodiscard]] std::string json_quote(std::string_view text);
/// Reads the string literal that begins at text[at] == '"', and moves `at` behind it.
[[nodiscard]] std::string json_unquote(std::string_view text, std::size_t& at);

[[nodiscard]] std::string write_flat_json(std::span<const JsonField> fields);
[[nodiscard]] std::vector<JsonField> read_flat_json(std::string_view text);

}  // namespace octet
