// The files of --init and --mask, read into the request.
//
// Thread-safety: pure functions besides reading the files. Errors: kIo for a file that cannot be
// read, kInvalidArgument naming the flag for one that is no picture Octet reads.
#pragma once

#include <string>
#include <vector>

#include "generate_options.h"

namespace octet::cli {

/// Reads and decodes what options.init_file and options.mask_file name, if anything; fills in the
/// request and the digests. What has to be said about the files, one line each.
[[nodiscard]] std::vector<std::string> read_init_files(GenerateOptions& options);

}  // namespace octet::cli
