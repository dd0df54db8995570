// Executes the normaliser and pre-tokenizer steps of a Unigram tokenizer description.
//
// The results equal those of the Hugging Face `tokenizers` library for the steps listed in
// tokenizer_spec.h. Ownership: copies the steps. Thread-safety: const after construction.
// Errors: kCorruptFile from broken character maps and from replacements that make the text grow
// beyond kMaxNormalizedText.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "text/added_tokens.h"
#include "text/charsmap.h"
#include "text/tokenizer_spec.h"

namespace octet {

class TextNormalizer {
 public:
  TextNormalizer() = default;
  /// `file` names the source of the steps in messages.
  TextNormalizer(const std::vector<NormalizerStep>& steps, const std::string& file);
  void apply(TextSection& section) const;

 private:
  struct Step {
    NormalizerStep rule;
    std::shared_ptr<const Charsmap> charsmap;  // kPrecompiled with a map
  };
  std::vector<Step> steps_;
};

class PreTokenizer {
 public:
  PreTokenizer() = default;
  explicit PreTokenizer(std::vector<PreTokenizerStep> steps) : steps_(std::move(steps)) {}
  /// The words of a section, in order, none empty.
  [[nodiscard]] std::vector<TextSection> split(TextSection section) const;

 private:
  std::vector<PreTokenizerStep> steps_;
};

}  // namespace octet
