// A model folder in which one component's FP8 variant is another file: what a candidate is loaded
// from, through the very code that loads a user's folder, before it has a name.
#pragma once

#include <memory>
#include <string>

#include "checkpoint/files.h"

namespace octet {

/// Where a diffusers folder keeps the FP8 variant of its transformer.
inline constexpr const char* kFp8TransformerFile =
    "transformer/diffusion_pytorch_model.fp8.safetensors";

/// `folder` with `file` (a path) as its only FP8 transformer.
[[nodiscard]] std::unique_ptr<FileSet> with_fp8_transformer(std::unique_ptr<FileSet> folder,
                                                            const std::string& file);

}  // namespace octet
