// From EngineOptions::model to the files of a model.
#pragma once

#include <memory>
#include <string>

#include "checkpoint/files.h"

namespace octet {

/// A built-in name, or the path of a folder. Throws Error(kIo) naming what there is.
[[nodiscard]] std::unique_ptr<FileSet> find_model(const std::string& model);

}  // namespace octet
