// Whether a shared library can be mapped as it lies there.
//
// The loader maps what the file's head promises; of a file that was cut off (a full disk, a broken
// download) it dies with SIGBUS, and no program can tell why. So its sizes are compared first.
// Thread-safe. Errors: none; what is wrong is the answer.
#pragma once

#include <string>

namespace octet {

/// Where the loader would find `name` first: the folders of LD_LIBRARY_PATH and the system's;
/// empty: in none of them.
[[nodiscard]] std::string locate_library(const std::string& name);

/// Why the file cannot be loaded ("expected 1234 bytes, found 1000 (cut off)", "Permission
/// denied"); empty: it looks whole, or it is of a kind about which the loader has better words.
[[nodiscard]] std::string library_fault(const std::string& path);

}  // namespace octet
