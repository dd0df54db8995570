// From EngineOptions::model to the files of a model.
#pragma once

#include <memory>

#include "checkpoint/files.h"
#include "octet/engine.h"

namespace octet {

/// A built-in name, the path of a folder, or single files (single_files.h). Throws Error(kIo)
/// naming what there is.
[[nodiscard]] std::unique_ptr<FileSet> find_model(const EngineOptions& options);

}  // namespace octet
