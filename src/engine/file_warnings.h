// What is to be said of a model's files besides what they hold.
//
// Files that every user of the machine may change are not refused: on file systems without owners
// (memory sticks, shares of other systems) all files are like that. Thread-safety: pure function
// besides the file system. Errors: those of opening the files.
#pragma once

#include <string>
#include <vector>

#include "checkpoint/files.h"
#include "octet/engine.h"

namespace octet {

/// One line each; none for a model that only its owner and group can change.
[[nodiscard]] std::vector<std::string> file_warnings(const FileSet& files,
                                                     const std::vector<LoraOption>& loras);

}  // namespace octet
