// Byte-level byte pair encoding with an end-of-word suffix (CLIP).
//
// A word's UTF-8 bytes are written in the printable byte alphabet of GPT-2, the last one with the
// suffix; then the neighbouring pair with the lowest rank (leftmost of equals) is merged until no
// rule applies. O(n log n) in the length of the word, which may be megabytes.
//
// Ownership: owns its tables. Thread-safety: const after construction. Errors: the constructor
// throws kCorruptFile when a rule names symbols that are not in the vocabulary.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "text/tokenizer_spec.h"

namespace octet {

class BpeModel {
 public:
  BpeModel() = default;
  /// `unk_id` stands for bytes that the vocabulary lacks; negative drops them.
  BpeModel(const BpeSpec& spec, std::int32_t unk_id, const std::string& file);

  /// Appends the ids of one word, any bytes.
  void encode_word(std::string_view word, std::vector<std::int32_t>& out) const;
  /// The bytes that a token of the vocabulary stands for, the suffix replaced by a blank.
  [[nodiscard]] std::string decode_token(const std::string& token) const;

 private:
  struct Merge {
    std::uint32_t rank;
    std::int32_t id;
  };
  [[nodiscard]] const Merge* find_merge(std::int32_t left, std::int32_t right) const;

  std::string suffix_;
  std::array<std::int32_t, 256> inner_{}, last_{};   // byte -> id, inside and at the end of a word
  std::unordered_map<std::uint64_t, Merge> merges_;  // left id << 32 | right id
  std::unordered_map<char32_t, unsigned char> bytes_;  // letter of the alphabet -> byte
  std::int32_t unk_id_ = -1;
};

}  // namespace octet
