#include "api/jobs_api.h"

#include <charconv>
#include <cmath>
#include <mutex>
#include <nlohmann/json.hpp>
#include <utility>

#include "api/base64.h"
#include "api/events.h"
#include "api/generation.h"
#include "api/pictures.h"
#include "api/trace.h"
#include "base/format.h"

namespace octet::api {
namespace {

using Json = nlohmann::ordered_json;
using Exchange = std::shared_ptr<http::Exchange>;

double rounded(double seconds) { return std::round(seconds * 1e3) / 1e3; }

const char* name_of(Stage stage) {
  switch (stage) {
    case Stage::kInit:
      return "init";
    case Stage::kText:
      return "text";
    case Stage::kModulation:
      return "modulation";
    case Stage::kDenoise:
      return "denoise";
    case Stage::kDecode:
      return "decode";
  }
  return "";
}

Json pictures_json(const serve::JobView& view) {
  Json list = Json::array();
  for (const serve::JobPicture& picture : view.pictures) {
    list.push_back({{"url", picture_path(view, picture)},
                    {"width", picture.width},
                    {"height", picture.height},
                    {"seed", picture.seed},
                    {"format", format_name(view.format)}});
  }
  return list;
}

Json job_json(const serve::JobView& view) {
  Json job = {{"id", view.token},
              {"object", "job"},
              {"state", serve::name_of(view.state)},
              {"model", view.model},
              {"created", view.created},
              {"trace_id", trace_id(view.traceparent)},
              {"attempts", view.attempts},
              {"queue_seconds", rounded(view.queue_seconds)},
              {"run_seconds", rounded(view.run_seconds)}};
  if (view.state == serve::JobState::kQueued) job["queue_position"] = view.queue_position;
  if (view.state == serve::JobState::kRunning) {
    job["stage"] = name_of(view.stage);
    job["step"] = view.step;
    job["steps"] = view.steps;
  }
  if (!serve::is_over(view.state)) job["eta"] = view.eta ? Json(rounded(*view.eta)) : Json();
  if (view.cancel_cause) job["cancel_cause"] = serve::name_of(*view.cancel_cause);
  if (view.state == serve::JobState::kFailed) {
    const RequestError error = error_of(view);
    job["error"] = {{"code", error.name()}, {"message", error.what()}};
  }
  if (view.state == serve::JobState::kDone) {
    job["pictures"] = pictures_json(view);
    job["warnings"] = view.done.warnings;
  }
  return job;
}

std::string text_of(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

RequestError no_such_job() {
  return {404, "not_found", "no such job, or its result is no longer kept"};
}

serve::JobView find_job(const Service& service, const http::Request& request) {
  auto view = service.jobs.find(request.parameters.at(0));
  const auto owner = owner_of_results(request);
  // Somebody else's job is none, so that nobody learns that there is one.
  if (!view || (owner && view->owner != *owner)) throw no_such_job();
  return *std::move(view);
}

void begin_generation_job(Service& service, const http::Request& request,
                          const Exchange& exchange) {
  Generation g;
  bind_fields(fields_of(g), request.body, Unknown::kRefuse);
  const serve::ModelCard card = find_model(service, g.model);
  begin_job(service, request, exchange, spec_of(g, card, request));
}

void show_job(const Service& service, const http::Request& request, const Exchange& exchange) {
  exchange->respond({.body = text_of(job_json(find_job(service, request)))});
}

void cancel_job(Service& service, const http::Request& request, const Exchange& exchange) {
  service.jobs.cancel(find_job(service, request).token, serve::CancelCause::kClient);
  show_job(service, request, exchange);
}

void show_picture(const Service& service, const http::Request& request, const Exchange& exchange) {
  const std::string& text = request.parameters.at(1);
  int index = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), index);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  for (const serve::JobPicture& picture : find_job(service, request).pictures) {
    if (!whole || picture.index != index || !picture.bytes) continue;
    exchange->respond(picture_answer(request, find_job(service, request), picture));
    return;
  }
  throw RequestError(404, "not_found", "no such picture");
}

/// Tells one client about a job until its end.
class Teller {
 public:
  explicit Teller(Exchange exchange) : exchange_(std::move(exchange)) {}

  void tell(const serve::JobView& view) {
    const std::lock_guard lock(mutex_);
    if (over_ || view.revision <= revision_) return;
    revision_ = view.revision;
    if (view.preview && view.previews > previews_) {
      previews_ = view.previews;
      exchange_->send(sse_event(
          "preview",
          Json{{"step", view.step}, {"format", "png"}, {"b64_json", encode_base64(*view.preview)}}
              .dump()));
      return;
    }
    over_ = serve::is_over(view.state);
    const char* name =
        view.state == serve::JobState::kRunning ? "progress" : serve::name_of(view.state);
    exchange_->send(sse_event(name, text_of(job_json(view))));
    if (over_) exchange_->end();
  }

 private:
  std::mutex mutex_;
  Exchange exchange_;
  std::uint64_t revision_ = 0;
  int previews_ = 0;
  bool over_ = false;
};

void watch_job(Service& service, const http::Request& request, const Exchange& exchange) {
  const std::string token = find_job(service, request).token;
  exchange->begin(sse_head(), kSseHeartbeat);
  const auto teller = std::make_shared<Teller>(exchange);
  const std::uint64_t watcher =
      service.jobs.watch(token, [teller](const serve::JobView& view) { teller->tell(view); });
  exchange->on_gone([&service, token, watcher] { service.jobs.unwatch(token, watcher); });
}

using Function = void (*)(Service&, const http::Request&, const Exchange&);

http::Handler handler(Service& service, Function function) {
  return [&service, function](const http::Request& request, const Exchange& exchange) {
    function(service, request, exchange);
  };
}

}  // namespace

void begin_job(Service& service, const http::Request& request, const Exchange& exchange,
               serve::JobSpec spec) {
  spec.keep = true;
  spec.previews = true;
  const Accepted job = submit(service, request, std::move(spec), [](const serve::JobView&) {});
  const auto view = service.jobs.find(job.token);
  if (!view) throw no_such_job();
  exchange->respond({.status = 202,
                     .body = text_of(job_json(*view)),
                     .headers = {{"Location", "/v1/jobs/" + job.token}}});
}

void add_job_routes(http::Router& router, Service& service) {
  Generation shape;
  router.add({.method = "POST",
              .pattern = "/v1/jobs",
              .summary = "Begin a job.",
              .handler = handler(service, begin_generation_job),
              .body_limit = kGenerationBytes,
              .request_schema = schema_of(fields_of(shape))});
  router.add({.method = "GET",
              .pattern = "/v1/jobs/{id}",
              .summary = "How a job stands.",
              .handler = handler(service, [](Service& s, const http::Request& r,
                                             const Exchange& e) { show_job(s, r, e); })});
  router.add({.method = "DELETE",
              .pattern = "/v1/jobs/{id}",
              .summary = "Cancel a job.",
              .handler = handler(service, cancel_job)});
  router.add(
      {.method = "GET",
       .pattern = "/v1/jobs/{id}/events",
       .summary = "How a job goes on: queued, progress, preview, and done, failed or cancelled.",
       .handler = handler(service, watch_job),
       .response_type = "text/event-stream"});
  router.add({.method = "GET",
              .pattern = "/v1/jobs/{id}/pictures/{index}",
              .summary = "A picture of a job that is done.",
              .handler = handler(service, [](Service& s, const http::Request& r,
                                             const Exchange& e) { show_picture(s, r, e); }),
              .response_type = "image/*"});
}

}  // namespace octet::api
