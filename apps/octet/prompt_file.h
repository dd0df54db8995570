// Files of prompts, one a line; blank lines and lines that begin with '#' are left out.
//
// Thread-safety: pure functions besides reading. Errors: kIo, kInvalidArgument naming the flag and
// the line.
#pragma once

#include <string>
#include <vector>

namespace octet::cli {

[[nodiscard]] std::vector<std::string> read_prompts(const std::string& flag,
                                                    const std::string& path);

/// Takes every third prompt out of `prompts`, for judging.
[[nodiscard]] std::vector<std::string> take_every_third(std::vector<std::string>& prompts);

}  // namespace octet::cli
