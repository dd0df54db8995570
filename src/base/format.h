// printf-style formatting into std::string (libstdc++ 12 has no <format>), checked by the compiler.
#pragma once

#include <string>

namespace octet {

/// Like snprintf, but returns a std::string of the needed length.
[[nodiscard]] __attribute__((format(printf, 1, 2))) std::string format(const char* pattern, ...);

/// `text` cut to `limit` bytes for use in a message, control characters replaced, "..." when cut.
[[nodiscard]] std::string excerpt(const std::string& text, std::size_t limit = 80);

}  // namespace octet
