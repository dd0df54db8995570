// The parts of a loaded model, immutable and shareable; and the defaults it came with.
#pragma once

#include <optional>
#include <string>

#include "model/clip.h"
#include "model/mmdit.h"
#include "model/t5.h"
#include "model/vae.h"
#include "text/clip_bpe.h"
#include "text/t5_unigram.h"

namespace octet {

struct TextModels {
  ClipTokenizer clip_l_tokenizer, clip_g_tokenizer;
  std::optional<T5Tokenizer> t5_tokenizer;
  ClipTextEncoder clip_l, clip_g;
  std::optional<T5Encoder> t5;  // absent: see Compat
};

/// Used where a request leaves a field empty.
struct ModelDefaults {
  int steps = 28;
  float guidance = 4.5f;
  float shift = 3.0f;
  int width = 1024;
  int height = 1024;
  int t5_length = 256;  // for Compat::kDiffusers
  std::string sampler = "euler";
  std::string schedule = "normal";
};

struct Models {
  TextModels text;
  Mmdit mmdit;
  Vae vae;
  ModelDefaults defaults;
};

}  // namespace octet
