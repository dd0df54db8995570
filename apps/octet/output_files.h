// Which files a run writes, and whether it will be able to: everything that can be known is
// checked before the model is loaded.
//
// Thread-safety: pure functions besides the file system. Errors: kInvalidArgument for a name that
// is none, kIo for a folder or file that cannot be written.
#pragma once

#include <string>
#include <vector>

#include "image/image.h"

namespace octet::cli {

struct OutputPlan {
  ImageFormat format = ImageFormat::kPng;
  bool to_stdout = false;
  std::vector<std::string> files;  // one per picture; empty when to_stdout
};

/// The files for `batch` pictures: "%d" in `pattern` counts from 0; without it more than one
/// picture gets "-0", "-1", ... before the suffix. "-" is standard output.
[[nodiscard]] OutputPlan plan_outputs(const std::string& pattern, int batch);

/// The folder of its files; empty for standard output.
[[nodiscard]] std::string output_folder(const std::string& pattern);

/// Throws unless a file of this name could be created or replaced now. Leaves no trace.
void check_writable(const std::string& flag, const std::string& path);

}  // namespace octet::cli
