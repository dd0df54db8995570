// The tokenizer of the T5 text encoder: prompt -> ids, EOS, padding.
//
// With tokenizer.json its own normaliser, pre-tokenizer and post-processor are executed. With
// spiece.model alone the pipeline is that of the Hugging Face conversion: character map, blanks
// stripped on the right, runs of blanks to one, a blank put before the text, EOS at the end; the
// sentinels <extra_id_99> ... <extra_id_0> follow the pieces. Case is kept.
//
// Files: tokenizer.json or spiece.model; tokenizer_config.json and special_tokens_map.json when
// present (eos, pad, unk, model_max_length, extra_ids, legacy).
// Ownership: owns its tables. Thread-safety: const after load. Errors: load throws kModelMismatch
// (files missing), kCorruptFile, kUnsupported; the others kInvalidArgument (invalid UTF-8), and
// kCorruptFile when a rule of the character map turns out to be broken.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer_files.h"
#include "text/tokens.h"

namespace octet {

class T5Tokenizer {
 public:
  [[nodiscard]] static T5Tokenizer load(const TokenizerFiles& files);

  /// Ids of the text alone: no EOS, padding or length limit.
  [[nodiscard]] std::vector<std::int32_t> encode(std::string_view text,
                                                 const TokenizeOptions& options = {}) const;
  /// One row. diffusers: length 256, cut and padded to it. ComfyUI: length 77 with truncate off,
  /// so padded to at least that. Reference: that and max_characters 226.
  [[nodiscard]] Tokens tokenize(std::string_view text, const TokenizeOptions& options = {}) const;

  [[nodiscard]] std::int32_t eos_id() const;
  [[nodiscard]] std::int32_t pad_id() const;
  [[nodiscard]] std::int32_t unk_id() const;
  /// From the configuration; 0 when it sets no limit.
  [[nodiscard]] int model_max_length() const;
  /// One more than the highest id; the embedding table must have at least this many rows.
  [[nodiscard]] std::int32_t vocab_size() const;

 private:
  struct Tables;
  explicit T5Tokenizer(std::shared_ptr<const Tables> tables) : tables_(std::move(tables)) {}
  std::shared_ptr<const Tables> tables_;
};

}  // namespace octet
