// Tokenizer descriptions as plain data, and their readers: what tokenizer.json,
// tokenizer_config.json, special_tokens_map.json, vocab.json and merges.txt say, independent of
// JSON. The fields follow the file format of the Hugging Face `tokenizers` library.
//
// Errors: the readers throw Error(kCorruptFile) naming file and field, and kUnsupported for valid
// descriptions that Octet cannot execute. Ownership: everything is copied. Thread-safety: values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "text/tokenizer_files.h"

namespace octet {

constexpr std::int32_t kMaxTokenId = (1 << 24) - 1;
constexpr std::size_t kMaxTokenBytes = 1024;  // longest piece or added token; bounds the look-ahead

using Vocabulary = std::unordered_map<std::string, std::int32_t>;  // token (UTF-8) -> id

/// A token that is found in the text before the model runs.
struct AddedToken {
  std::string content;
  std::int32_t id = -1;
  bool single_word = false;  // only where no word character touches it
  bool lstrip = false;       // swallows white space on its left
  bool rstrip = false;       // ... and on its right
  bool normalized = false;   // looked for in the normalised text instead of the raw text
};

struct BpeSpec {
  Vocabulary vocabulary;
  std::vector<std::pair<std::string, std::string>> merges;  // by rank
  std::string suffix = "</w>";                              // of the last symbol of a word
};

struct UnigramSpec {
  std::vector<std::pair<std::string, double>> pieces;  // id -> (piece, log-probability)
  std::int32_t unk_id = -1;
};

/// What a Replace normaliser looks for: a literal, or runs of one character (class).
struct ReplacePattern {
  std::u32string literal;       // when not empty, the pattern is this text
  char32_t repeated = 0;        // else runs of this code point ...
  bool any_whitespace = false;  // ... or of any white space
  std::size_t minimum = 1;      // ... of at least this length
};

struct NormalizerStep {
  enum class Kind { kPrecompiled, kStrip, kReplace, kNfc, kNfd, kLowercase, kPrepend };
  Kind kind = Kind::kNfc;
  std::string charsmap;                          // kPrecompiled: the binary map
  bool strip_left = false, strip_right = false;  // kStrip
  ReplacePattern pattern;                        // kReplace
  std::u32string content;                        // kReplace, kPrepend
};

struct PreTokenizerStep {
  enum class Kind { kMetaspace, kWhitespaceSplit };
  enum class Prepend { kFirst, kAlways, kNever };
  Kind kind = Kind::kMetaspace;
  char32_t replacement = U'\u2581';
  Prepend prepend = Prepend::kAlways;
  bool split = true;
};

/// Everything about a Unigram tokenizer.
struct UnigramTokenizerSpec {
  UnigramSpec model;
  std::vector<AddedToken> added;
  std::vector<NormalizerStep> normalizer;
  std::vector<PreTokenizerStep> pre_tokenizer;
  std::vector<std::int32_t> prefix, suffix;  // ids that the post-processor puts around the text
};

/// A special token as the configuration names it.
struct SpecialToken {
  std::string content;
  bool explicit_flags = false;  // the flags below were given
  AddedToken flags;
};

/// tokenizer_config.json and special_tokens_map.json; absent files leave everything empty.
struct TokenizerConfig {
  std::optional<SpecialToken> bos, eos, pad, unk;
  std::vector<AddedToken> added;        // added_tokens_decoder
  std::optional<int> model_max_length;  // absent when missing or beyond 2^24
  std::optional<bool> legacy;           // T5: false means the blank is put before the text only
  int extra_ids = 100;                  // T5: sentinels that follow the pieces of spiece.model
};

[[nodiscard]] TokenizerConfig read_tokenizer_config(const TokenizerFiles& files);
/// From vocab.json and merges.txt, or the BPE model of tokenizer.json (then its added tokens are
/// appended to `added`).
[[nodiscard]] BpeSpec read_bpe_spec(const TokenizerFiles& files, std::vector<AddedToken>& added);
/// From tokenizer.json, which must be there.
[[nodiscard]] UnigramTokenizerSpec read_unigram_json(const TokenizerFiles& files);

}  // namespace octet
