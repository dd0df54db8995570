// /healthz and /readyz, for whoever restarts processes and balances load.
#pragma once

#include "api/service.h"

namespace octet::api {

void add_health_routes(http::Router& router, Service& service);

}  // namespace octet::api
