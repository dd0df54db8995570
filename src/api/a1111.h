// The part of AUTOMATIC1111's API that clients use: /sdapi/v1/...
//
// /interrupt and /progress concern the caller's own jobs, not everybody's. Errors are
// {"detail": ...}, on these routes only; a field that is wrong is 422.
#pragma once

#include "api/decoder.h"

namespace octet::api {

void add_a1111_routes(http::Router& router, Service& service, Decoder& decoder);

/// Whether a path belongs to this dialect.
[[nodiscard]] bool is_a1111(const std::string& path);

[[nodiscard]] http::Response a1111_error(const RequestError& error);

}  // namespace octet::api
