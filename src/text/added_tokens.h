// Finds added tokens (special tokens, sentinels) in text before the model sees it.
//
// Order of work, as in the Hugging Face library: tokens with normalized = false are searched in
// the raw text, leftmost first, the longest at equal start; each stretch between them is
// normalised, and tokens with normalized = true are searched in the result.
//
// single_word takes letters, numbers and '_' for word characters (marks do not count).
// Ownership: copies its tokens. Thread-safety: const after construction. Errors: none.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer_spec.h"

namespace octet {

/// Searches one set of tokens.
class AddedTokenMatcher {
 public:
  struct Span {
    std::size_t begin, end;
    std::int32_t id;  // negative: ordinary text
  };
  void add(std::u32string pattern, const AddedToken& token);
  void finish();
  /// Cuts the text into non-empty spans.
  [[nodiscard]] std::vector<Span> split(std::u32string_view text) const;

 private:
  struct Entry {
    std::u32string pattern;
    AddedToken token;
  };
  [[nodiscard]] const Entry* longest_at(std::u32string_view text, std::size_t begin) const;

  std::vector<Entry> entries_;  // sorted by pattern
};

/// A stretch of normalised text.
struct TextSection {
  std::u32string text;
  /// How many of its first code points stem from the first character of the prompt.
  std::size_t from_first = 0;
};

class AddedVocabulary {
 public:
  /// Normalises the section in place and keeps from_first true.
  using Normalize = std::function<void(TextSection&)>;

  AddedVocabulary() = default;
  AddedVocabulary(const std::vector<AddedToken>& tokens, Normalize normalize);

  /// Calls `on_id` for every token found and `on_text` for every non-empty stretch between.
  void visit(std::u32string_view text, const std::function<void(std::int32_t)>& on_id,
             const std::function<void(TextSection&&)>& on_text) const;

 private:
  Normalize normalize_;
  AddedTokenMatcher raw_, normalized_;
};

}  // namespace octet
