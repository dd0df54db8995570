// The precompiled character map of SentencePiece models: rules "these bytes become those".
//
// Binary form (little endian): u32 size of the trie in bytes; the trie as u32 units of a
// darts-clone double array; the replacements, each ended by a NUL. A unit holds a label (low 8
// bits, bit 31 set marks a value instead), a leaf flag (bit 8) and the offset of its children
// (bits 10.., times 256 when bit 9 is set); the value is the start of the replacement.
//
// The text is replaced cluster by cluster as the Hugging Face library does, not by the longest
// match as SentencePiece itself: a grapheme cluster of fewer than 6 bytes that starts with a rule
// is replaced as a whole by the *shortest* such rule (rests are dropped); otherwise each of its
// code points is looked up by itself.
//
// Ownership: copies the map. Thread-safety: const after construction. Errors: kCorruptFile.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace octet {

/// A model file may replace one character by kilobytes; a prompt must not fill the memory with it.
constexpr std::size_t kMaxNormalizedText = std::size_t{1} << 26;  // code points
/// Throws the error for a text beyond that.
[[noreturn]] void refuse_growth(const std::string& source);

class Charsmap {
 public:
  /// `file` names the source in messages.
  Charsmap(std::string_view blob, std::string file);

  /// `from_first`, when given, receives how many code points the first one became (at least 1:
  /// when it vanishes, the next one takes its place).
  [[nodiscard]] std::u32string apply(std::u32string_view text,
                                     std::size_t* from_first = nullptr) const;

 private:
  [[nodiscard]] std::optional<std::string_view> find(std::string_view key) const;
  bool append_rule(std::u32string_view part, std::string& scratch, std::u32string& out) const;

  std::string file_;
  std::vector<std::uint32_t> units_;
  std::string replacements_;
};

}  // namespace octet
