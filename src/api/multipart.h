// multipart/form-data (RFC 7578), as OpenAI's clients send pictures.
//
// Thread-safety: pure functions. Errors: RequestError 400.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/fields.h"

namespace octet::api {

struct Part {
  std::string name;
  std::string_view data;  // of the body
};

/// The parts of a body; `content_type` holds the boundary. At most 64 parts with heads of at most
/// 4 KiB.
[[nodiscard]] std::vector<Part> split_multipart(std::string_view body,
                                                std::string_view content_type);

}  // namespace octet::api
