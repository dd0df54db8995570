// The tokenizer of the CLIP text encoders: prompt -> BOS, at most 75 ids, EOS, padding.
//
// Pipeline (that of the Hugging Face fast CLIP tokenizer): added tokens are found first; the rest
// goes through NFC, white-space runs to one blank, lower case; it is cut into contractions
// ('s 't 're 've 'm 'll 'd), runs of letters, single numbers and runs of other characters; each
// word is byte-level BPE. All ids come from the files, so vocabularies of any size work.
//
// Files: vocab.json + merges.txt, or tokenizer.json with a BPE model; tokenizer_config.json and
// special_tokens_map.json when present (bos, eos, pad, unk, model_max_length; CLIP's own names
// and 77 without them).
// Ownership: owns its tables. Thread-safety: const after load. Errors: load throws kModelMismatch
// (files missing), kCorruptFile, kUnsupported; the others kInvalidArgument (invalid UTF-8).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer_files.h"
#include "text/tokens.h"

namespace octet {

class ClipTokenizer {
 public:
  [[nodiscard]] static ClipTokenizer load(const TokenizerFiles& files);

  /// Ids of the text alone: no BOS, EOS, padding or length limit.
  [[nodiscard]] std::vector<std::int32_t> encode(std::string_view text,
                                                 const TokenizeOptions& options = {}) const;
  /// One padded row.
  [[nodiscard]] Tokens tokenize(std::string_view text, const TokenizeOptions& options = {}) const;
  /// The whole text in as many rows as needed, at least one, each with BOS, EOS and padding
  /// (ComfyUI's way with long prompts).
  [[nodiscard]] std::vector<Tokens> tokenize_chunks(std::string_view text,
                                                    const TokenizeOptions& options = {}) const;

  [[nodiscard]] std::int32_t bos_id() const;
  [[nodiscard]] std::int32_t eos_id() const;
  [[nodiscard]] std::int32_t pad_id() const;
  [[nodiscard]] int model_max_length() const;
  /// One more than the highest id; the embedding table must have at least this many rows.
  [[nodiscard]] std::int32_t vocab_size() const;

 private:
  struct Tables;
  explicit ClipTokenizer(std::shared_ptr<const Tables> tables) : tables_(std::move(tables)) {}
  std::shared_ptr<const Tables> tables_;
};

}  // namespace octet
