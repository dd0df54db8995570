// GET /openapi.json: the API as the table of routes has it.
#pragma once

#include "http/router.h"

namespace octet::api {

/// An OpenAPI 3.1 document, as text.
[[nodiscard]] std::string describe_routes(const http::Router& router);

/// Adds the route itself; the last one to be added. `router` must outlive it.
void add_description_route(http::Router& router);

}  // namespace octet::api
