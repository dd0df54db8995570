// The bytes of a picture file, with the record of how it was made.
//
// Thread-safety: pure functions. Errors: those of the encoders.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "report.h"

namespace octet::cli {

/// `picture` of the run as a file in the format of report.outputs. What the file cannot hold is
/// added to `warnings`, one line each.
[[nodiscard]] std::vector<std::byte> encode_picture_file(const RunReport& report,
                                                         const Picture& picture,
                                                         std::vector<std::string>& warnings);

}  // namespace octet::cli
