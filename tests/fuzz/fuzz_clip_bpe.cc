// libFuzzer target: CLIP tokenizer files and prompt. The first byte chooses where the rest goes:
// all of it into one file of an otherwise sound tokenizer, or into the prompt.
#include <cstddef>
#include <cstdint>
#include <string>

#include "octet/error.h"
#include "text/clip_bpe.h"

namespace {

octet::TokenizerFiles sound_files() {
  octet::TokenizerFiles files;
  files.contents["vocab.json"] =
      R"({"!":0,"a":1,"b":2,"!</w>":3,"a</w>":4,"b</w>":5,"ab":6,"ab</w>":7,"aba</w>":8,"Ã":9,)"
      R"("©</w>":10,"<|startoftext|>":11,"<|endoftext|>":12})";
  files.contents["merges.txt"] = "#version: 0.2\na b\na b</w>\nab a</w>\n";
  files.contents["tokenizer_config.json"] =
      R"({"pad_token":"!","model_max_length":16,"added_tokens_decoder":{)"
      R"("12":{"content":"<|endoftext|>","normalized":true}}})";
  return files;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  octet::TokenizerFiles files = sound_files();
  std::string prompt = "Ab! aba \u00e9 <|endoftext|>";
  switch (data[0] % 6) {
    case 0:
      prompt = rest;
      break;
    case 1:
      files.contents["vocab.json"] = rest;
      break;
    case 2:
      files.contents["merges.txt"] = rest;
      break;
    case 3:
      files.contents["tokenizer_config.json"] = rest;
      break;
    case 4:
      files.contents["special_tokens_map.json"] = rest;
      break;
    default:
      files.contents.clear();
      files.contents["tokenizer.json"] = rest;
  }
  try {
    const auto tokenizer = octet::ClipTokenizer::load(files);
    octet::TokenizeOptions options;
    options.length = 8;
    const octet::Tokens row = tokenizer.tokenize(prompt, options);
    if (row.ids.size() != 8) __builtin_trap();
    for (const std::int32_t id : row.ids) {
      if (id < 0 || id >= tokenizer.vocab_size()) __builtin_trap();
    }
    options.match_pad = false;
    (void)tokenizer.tokenize_chunks(prompt, options);
  } catch (const octet::Error&) {
    // the expected answer to broken input
  }
  return 0;
}
