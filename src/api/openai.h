// OpenAI's images API: /v1/images/generations and /v1/models, with plain extension fields.
//
// Conventions: OpenAI's OpenAPI description of 2026-08 for fields, answers and errors; the names of
// the extension fields are those that vLLM-Omni and SGLang use.
#pragma once

#include "api/service.h"

namespace octet::api {

/// Adds the dialect's routes. `service` must outlive the router.
void add_openai_routes(http::Router& router, Service& service);

/// {"error": {"message", "type", "param", "code"}}, all four keys always there.
[[nodiscard]] http::Response openai_error(const RequestError& error);

}  // namespace octet::api
