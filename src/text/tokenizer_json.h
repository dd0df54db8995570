// Parts of tokenizer files that several readers share. Internal to src/text: included by .cc
// files only. Errors as in tokenizer_spec.h. Thread-safety: pure functions.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json_document.h"
#include "text/tokenizer_spec.h"

namespace octet {

/// An object with `content` and the optional flags and `id`.
[[nodiscard]] AddedToken read_added_token(const json::Value& value, const std::string& file,
                                          std::string_view field);
/// An object token -> id.
[[nodiscard]] Vocabulary read_vocabulary(const json::Value& value, const std::string& file,
                                         std::string_view field);
/// "left right" as its two halves; `number` is the line or rule for messages.
[[nodiscard]] std::pair<std::string, std::string> split_merge(std::string_view rule,
                                                              const std::string& file,
                                                              std::size_t number);
/// tokenizer.json with a CLIP-like BPE model.
[[nodiscard]] BpeSpec read_bpe_json(const TokenizerFiles& files, std::vector<AddedToken>& added);

}  // namespace octet
