// The files of one tokenizer folder as bytes, so that the same loaders serve folders on disk and
// files embedded in the binary.
//
// Known names: vocab.json, merges.txt, tokenizer.json, spiece.model, tokenizer_config.json,
// special_tokens_map.json; others are ignored. Ownership: owns its bytes; loaders copy what they
// keep. Thread-safety: a plain value.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace octet {

struct TokenizerFiles {
  std::string origin;  // where the files come from ("sd35/tokenizer_2"), for error messages
  std::map<std::string, std::string, std::less<>> contents;  // file name -> bytes

  /// The bytes of `name`, or null when there is no such file.
  [[nodiscard]] const std::string* find(std::string_view name) const {
    const auto found = contents.find(name);
    return found == contents.end() ? nullptr : &found->second;
  }
  /// `name` with its origin, for messages.
  [[nodiscard]] std::string path_of(std::string_view name) const {
    return (origin.empty() ? "" : origin + "/") + std::string(name);
  }
};

}  // namespace octet
