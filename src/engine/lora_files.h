// The files of a model together with those of its LoRA, as a lock sees them: LoRA number N (from 1)
// is the file "lora/N/NAME".
//
// Thread-safety: like the files behind it. Errors: theirs; opening a LoRA throws what open_file
// does.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "checkpoint/files.h"
#include "octet/engine.h"

namespace octet {

/// "lora/N/NAME" of each.
[[nodiscard]] std::vector<std::string> lora_file_names(const std::vector<LoraOption>& loras);

[[nodiscard]] std::unique_ptr<FileSet> with_loras(std::unique_ptr<FileSet> files,
                                                  const std::vector<LoraOption>& loras);

}  // namespace octet
