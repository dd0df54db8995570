#include "api/health.h"

#include <nlohmann/json.hpp>

#include "base/format.h"

namespace octet::api {
namespace {

using Json = nlohmann::ordered_json;

/// Ready is who can begin a job now: a loaded model in a living worker.
http::Response readiness(const Service& service) {
  const serve::WorkerStatus status = service.status();
  const bool draining = service.jobs.draining();
  const bool ready = status.state == serve::WorkerState::kReady && !draining;
  Json body = {{"status", ready      ? "ready"
                          : draining ? "draining"
                                     : "not ready"},
               {"worker", name_of(status.state)},
               {"restarts", status.restarts},
               {"last_error", nullptr},
               {"failing", Json::array()},
               {"models", Json::array()}};
  if (!status.last_error.empty()) body["last_error"] = status.last_error;
  if (service.failing) body["failing"] = service.failing();
  for (const serve::ModelCard& card : status.models) {
    body["models"].push_back({{"id", card.name},
                              {"digest", card.digest},
                              {"variant", card.variant},
                              {"compute", card.compute},
                              {"device", card.device},
                              {"size", format("%dx%d", card.width, card.height)},
                              {"longest_side", card.longest_side}});
  }
  return {.status = ready ? 200 : 503,
          .body = body.dump(-1, ' ', false, Json::error_handler_t::replace)};
}

}  // namespace

void add_health_routes(http::Router& router, Service& service) {
  router.add({.method = "GET",
              .pattern = "/healthz",
              .summary = "Whether this process answers.",
              .handler =
                  [](const http::Request&, const std::shared_ptr<http::Exchange>& exchange) {
                    exchange->respond({.body = "{\"status\":\"ok\"}"});
                  },
              .open = true});
  router.add(
      {.method = "GET",
       .pattern = "/readyz",
       .summary = "Whether a picture can be drawn now.",
       .handler =
           [&service](const http::Request&, const std::shared_ptr<http::Exchange>& exchange) {
             exchange->respond(readiness(service));
           },
       .open = true});
}

}  // namespace octet::api
