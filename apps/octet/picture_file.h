// The bytes of a picture file, with the record of how it was made.
//
// Thread-safety: pure functions. Errors: those of the encoders.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "generate_options.h"
#include "octet/engine.h"
#include "output_files.h"

namespace octet::cli {

struct DrawnPicture {
  const GenerateOptions& options;
  const ModelInfo& model;
  const UsedSettings& used;
  const Picture& picture;
};

/// The picture as a file in this format. What the file cannot hold is added to `warnings`, one line
/// each.
[[nodiscard]] std::vector<std::byte> encode_picture_file(const DrawnPicture& drawn,
                                                         ImageFormat format,
                                                         std::vector<std::string>& warnings);

}  // namespace octet::cli
