// OpenAI's images API: /v1/images/generations and /v1/models, with plain extension fields.
//
// Conventions: OpenAI's OpenAPI description of 2026-08 for fields, answers and errors; the names of
// the extension fields are those that vLLM-Omni and SGLang use.
#pragma once

#include "api/generation.h"
#include "api/service.h"

namespace octet::api {

/// Adds the dialect's routes. `service` must outlive the router.
void add_openai_routes(http::Router& router, Service& service);

/// Hands the job over and answers when it is over, or as it goes on for a stream, whose events are
/// called by `kind`: "image_generation" or "image_edit".
void begin_and_answer(Service& service, const http::Request& request,
                      const std::shared_ptr<http::Exchange>& exchange, const Generation& generation,
                      serve::JobSpec spec, const std::string& kind);

/// {"error": {"message", "type", "param", "code"}}, all four keys always there.
[[nodiscard]] http::Response openai_error(const RequestError& error);

}  // namespace octet::api
