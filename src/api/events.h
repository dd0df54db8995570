// Server-sent events (WHATWG HTML, section 9.2): the format of growing answers.
//
// Thread-safety: pure functions. Errors: none.
#pragma once

#include <string>
#include <string_view>

#include "http/message.h"

namespace octet::api {

/// A comment, for proxies that close what is silent.
inline constexpr const char* kSseHeartbeat = ": still here\n\n";

[[nodiscard]] inline http::Response sse_head() { return {.content_type = "text/event-stream"}; }

/// `data` is one line, as JSON is.
[[nodiscard]] inline std::string sse_event(std::string_view name, std::string_view data) {
  std::string text = "event: ";
  text.append(name).append("\ndata: ").append(data).append("\n\n");
  return text;
}

}  // namespace octet::api
