// The part of AUTOMATIC1111's API that clients use: /sdapi/v1/...
//
// Unknown fields are ignored, as that server does; a size beyond the model becomes the nearest that
// fits, and "info" says so. /interrupt and /progress concern the caller's own jobs, not
// everybody's. Errors are {"detail": ...}, on these routes only.
#pragma once

#include "api/service.h"

namespace octet::api {

void add_a1111_routes(http::Router& router, Service& service);

/// Whether a path belongs to this dialect.
[[nodiscard]] bool is_a1111(const std::string& path);

[[nodiscard]] http::Response a1111_error(const RequestError& error);

}  // namespace octet::api
