// The native API: jobs that are begun, watched, cancelled and fetched by separate requests.
//
// A job's id is 128 random bits: who knows it may watch and cancel it.
#pragma once

#include "api/service.h"

namespace octet::api {

/// Begins a job whose result is kept, and answers 202 with how it stands. RequestError as submit.
void begin_job(Service& service, const http::Request& request,
               const std::shared_ptr<http::Exchange>& exchange, serve::JobSpec spec);

void add_job_routes(http::Router& router, Service& service);

}  // namespace octet::api
