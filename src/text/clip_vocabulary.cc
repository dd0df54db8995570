#include "text/clip_vocabulary.h"

#include <nlohmann/json.hpp>
#include <string_view>

#include "text/unicode.h"

extern "C" {
extern const char octet_clip_merges[], octet_clip_merges_end[];
}

namespace octet {
namespace {

// Bytes in the order of their ids, each as the letter that stands for it: printable ones as
// themselves, then the others as the letters from U+0100 on.
std::vector<std::string> byte_letters() {
  const auto printable = [](int b) {
    return (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
  };
  constexpr int kBytes = 256;
  std::vector<std::string> letters;
  char32_t next = kBytes;
  for (const bool pass : {true, false}) {
    for (int b = 0; b < kBytes; ++b) {
      if (printable(b) != pass) continue;
      std::string letter;
      unicode::append_utf8(letter, pass ? static_cast<char32_t>(b) : next++);
      letters.push_back(std::move(letter));
    }
  }
  return letters;
}

std::string vocabulary_json(std::string_view merges) {
  nlohmann::json vocabulary = nlohmann::json::object();
  const auto add = [&](const std::string& token) { vocabulary[token] = vocabulary.size(); };
  const std::vector<std::string> letters = byte_letters();
  for (const std::string& letter : letters) add(letter);
  for (const std::string& letter : letters) add(letter + "</w>");
  merges.remove_prefix(merges.find('\n') + 1);  // "#version"
  while (!merges.empty()) {
    const std::size_t end = merges.find('\n');
    const std::string_view line = merges.substr(0, end);
    const std::size_t blank = line.find(' ');
    add(std::string(line.substr(0, blank)) + std::string(line.substr(blank + 1)));
    merges.remove_prefix(end + 1);
  }
  add("<|startoftext|>");
  add("<|endoftext|>");
  return vocabulary.dump();
}

}  // namespace

TokenizerFiles clip_tokenizer_files(ClipPadding padding) {
  const std::string_view merges(
      octet_clip_merges, static_cast<std::size_t>(octet_clip_merges_end - octet_clip_merges));
  const char* const pad = padding == ClipPadding::kZero ? "!" : "<|endoftext|>";
  const nlohmann::json config = {{"bos_token", "<|startoftext|>"},
                                 {"eos_token", "<|endoftext|>"},
                                 {"unk_token", "<|endoftext|>"},
                                 {"pad_token", pad},
                                 {"model_max_length", 77}};
  return {.origin = "built-in CLIP vocabulary",
          .contents = {{"vocab.json", vocabulary_json(merges)},
                       {"merges.txt", std::string(merges)},
                       {"tokenizer_config.json", config.dump()}}};
}

}  // namespace octet
