// "Did you mean ...?": the nearest known word to a mistyped one.
//
// Thread-safety: pure functions. Errors: none.
#pragma once

#include <span>
#include <string>

namespace octet::cli {

/// Edits (insert, delete, replace, swap of neighbours) that turn `a` into `b`; long words are
/// compared by their first 64 bytes.
[[nodiscard]] std::size_t edit_distance(const std::string& a, const std::string& b);

/// " (did you mean X?)" for the nearest of `known` when it is near enough to be a slip of the
/// finger or the beginning of exactly one of them, else an empty string.
[[nodiscard]] std::string suggestion(const std::string& word, std::span<const std::string> known);

}  // namespace octet::cli
