// W3C Trace Context, level 1: the header `traceparent`, "00-TRACE-PARENT-FLAGS".
//
// A request that brings a valid one is part of that trace, any other begins a trace of its own, as
// the recommendation wants it for what is not understood. Thread-safety: pure functions.
// Errors: none.
#pragma once

#include <string>
#include <string_view>

namespace octet::api {

/// Whether `header` can be gone on from.
[[nodiscard]] bool is_traceparent(std::string_view header);

/// The header for this server's part: the trace of `header`, or a new one, and a new parent.
[[nodiscard]] std::string continue_trace(std::string_view header);

/// The trace of a valid header: 32 hexadecimal digits; empty for an empty one.
[[nodiscard]] std::string trace_id(const std::string& traceparent);

}  // namespace octet::api
