// A whole small model: as Models on a backend, or as the files of a diffusers folder.
#pragma once

#include <functional>

#include "backend/backend.h"
#include "pipeline/models.h"
#include "support/tiny_models.h"
#include "text/tokenizer_files.h"

namespace octet::test {

struct PipelineSpec {
  Family family = Family::kSd35Large;
  bool t5 = true;
  bool fp8 = false;  // the MMDiT's blocks
  Compute compute = Compute::kF32;
  std::string infinite = {};  // a tensor whose first value is infinity, of whichever parts have it
};

/// The tokenizers of the golden models: "tokenizer", "tokenizer_2" or "tokenizer_3".
[[nodiscard]] TokenizerFiles tiny_tokenizer(const std::string& folder);

[[nodiscard]] Models tiny_pipeline(Backend& backend, const PipelineSpec& spec);

/// Relative names and contents, ready for MemoryFiles; the transformer FP16, or FP8 under the
/// label "fp8".
[[nodiscard]] std::map<std::string, Bytes> tiny_folder(const PipelineSpec& spec);

}  // namespace octet::test
