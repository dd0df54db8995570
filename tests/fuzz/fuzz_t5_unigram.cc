// libFuzzer target: T5 tokenizer.json and prompt. The first byte chooses which of them the rest is.
#include <cstddef>
#include <cstdint>
#include <string>

#include "octet/error.h"
#include "text/t5_unigram.h"

namespace {

const char* const kDescription =
    R"({"added_tokens":[{"id":1,"content":"</s>","rstrip":true},{"id":8,"content":"<x>",)"
    R"("normalized":true,"lstrip":true}],"normalizer":{"type":"Sequence","normalizers":[)"
    R"({"type":"NFC"},{"type":"Replace","pattern":{"Regex":" {2,}"},"content":"▁"},)"
    R"({"type":"Strip","strip_left":false,"strip_right":true}]},"pre_tokenizer":{"type":)"
    R"("Sequence","pretokenizers":[{"type":"WhitespaceSplit"},{"type":"Metaspace",)"
    R"("replacement":"▁","prepend_scheme":"first"}]},"post_processor":{"type":)"
    R"("TemplateProcessing","single":[{"Sequence":{"id":"A"}},{"SpecialToken":{"id":"</s>"}}],)"
    R"("special_tokens":{"</s>":{"ids":[1]}}},"model":{"type":"Unigram","unk_id":2,"vocab":[)"
    R"(["<pad>",0],["</s>",0],["<unk>",0],["▁",-2],["▁a",-3],["a",-3.5],["ab",-4],["é",-5]]}})";

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  octet::TokenizerFiles files;
  files.contents["tokenizer.json"] = data[0] % 3 == 0 ? rest : kDescription;
  if (data[0] % 3 == 1) files.contents["tokenizer_config.json"] = rest;
  const std::string prompt = data[0] % 3 == 2 ? rest : "aab  \u00e9</s> <x>\u4e00";
  try {
    const auto tokenizer = octet::T5Tokenizer::load(files);
    octet::TokenizeOptions options;
    options.length = 9;
    const octet::Tokens row = tokenizer.tokenize(prompt, options);
    if (row.ids.size() != 9) __builtin_trap();
    for (const std::int32_t id : row.ids) {
      if (id < 0 || id >= tokenizer.vocab_size()) __builtin_trap();
    }
    options.truncate = false;
    options.max_characters = 5;
    (void)tokenizer.tokenize(prompt, options);
  } catch (const octet::Error&) {
    // the expected answer to broken input
  }
  return 0;
}
