// The native API: jobs that are begun, watched, cancelled and fetched by separate requests.
//
// A job's id is 128 random bits: who knows it may watch and cancel it.
#pragma once

#include "api/service.h"

namespace octet::api {

void add_job_routes(http::Router& router, Service& service);

}  // namespace octet::api
