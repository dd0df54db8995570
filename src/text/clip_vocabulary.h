// The vocabulary of OpenAI's CLIP, which all published SD3 models use: for checkpoints that bring
// no tokenizer. 49,408 entries: bytes, bytes at the end of a word, 48,894 merges, two marks.
//
// Thread-safety: pure function.
#pragma once

#include "text/tokenizer_files.h"

namespace octet {

enum class ClipPadding : unsigned char {
  kEndOfText,  // CLIP-L
  kZero,       // CLIP bigG: "!", the first entry
};

/// The tokenizer files of a CLIP folder, as ClipTokenizer::load takes them.
[[nodiscard]] TokenizerFiles clip_tokenizer_files(ClipPadding padding);

}  // namespace octet
