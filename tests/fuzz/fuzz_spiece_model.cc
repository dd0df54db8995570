// libFuzzer target: spiece.model, with its character map applied to a prompt.
#include <cstddef>
#include <cstdint>
#include <string>

#include "octet/error.h"
#include "text/charsmap.h"
#include "text/spiece_model.h"
#include "text/t5_unigram.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  try {
    const octet::SpieceModel model = octet::read_spiece_model(bytes, "spiece.model");
    if (model.unk_id >= static_cast<std::int32_t>(model.pieces.size())) __builtin_trap();
    octet::TokenizerFiles files;
    files.contents["spiece.model"] = bytes;
    // Any piece may serve as the special tokens, so that most models get as far as the text.
    const std::string name = model.pieces[static_cast<std::size_t>(model.unk_id)].text;
    const bool plain = name.find_first_of("\"\\") == std::string::npos && name[0] >= ' ';
    if (plain) {
      files.contents["tokenizer_config.json"] =
          R"({"eos_token":")" + name + R"(","pad_token":")" + name + R"(","extra_ids":2})";
    }
    (void)octet::T5Tokenizer::load(files).tokenize(
        "A caf\u00e9  e\u0302\u0301 \ufb01 \u4e00\r\n x");
  } catch (const octet::Error&) {
    // the expected answer to broken input
  }
  try {
    (void)octet::Charsmap(bytes, "map").apply(U"ab\u00e9e\u0301\r\n\ufb01\U0001f600");
  } catch (const octet::Error&) {
    // the expected answer to broken input
  }
  return 0;
}
