// The bytes of a picture file, with the record of how it was made in a PNG.
//
// Thread-safety: pure functions. Errors: those of the encoders.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "report.h"

namespace octet::cli {

/// `picture` of the run as a file in the format of report.outputs.
[[nodiscard]] std::vector<std::byte> encode_picture_file(const RunReport& report,
                                                         const Picture& picture);

}  // namespace octet::cli
