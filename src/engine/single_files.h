// Models that come as single files: one that holds the transformer, usually with the VAE and
// sometimes with text encoders, and more for what it lacks.
//
// They are shown as a folder in the diffusers layout, so that everything else knows one layout
// only: "transformer/diffusion_pytorch_model.safetensors" is the whole file, of which
// ModelFolder::open takes the tensors under the component's prefix. Configs are absent (the
// family's values hold) and the CLIP vocabulary is the built-in one.
//
// Which component a file holds is told by its tensors, never by its name. Thread-safety: as
// FileSet. Errors: Error(kModelMismatch) for parts that are missing or given twice and for tensors
// that belong to no component, naming them; what opening a file throws.
#pragma once

#include <memory>

#include "checkpoint/files.h"
#include "octet/engine.h"

namespace octet {

/// `options.model` is the path of a file; the others are options.parts.
[[nodiscard]] std::unique_ptr<FileSet> open_single_files(const EngineOptions& options);

}  // namespace octet
