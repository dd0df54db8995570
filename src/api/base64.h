// Base64 with the standard alphabet (RFC 4648, section 4), padded.
//
// Thread-safety: pure functions. Errors: none; what is no base64 decodes to nothing.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace octet::api {

[[nodiscard]] std::string encode_base64(std::span<const std::byte> bytes);
[[nodiscard]] std::optional<std::vector<std::byte>> decode_base64(std::string_view text);

}  // namespace octet::api
