#include "api/openai.h"

#include <ctime>
#include <nlohmann/json.hpp>
#include <utility>

#include "api/base64.h"
#include "api/events.h"
#include "api/generation.h"
#include "api/model_json.h"
#include "api/pictures.h"
#include "base/format.h"

namespace octet::api {
namespace {

using Json = nlohmann::ordered_json;

/// Written by hand: a JSON library would copy and check megabytes of base64. `base` is where files
/// are; empty: the answer holds them.
std::string answer_of(const serve::JobView& view, const std::string& quality,
                      const std::string& base) {
  std::string data;
  for (const serve::JobPicture& picture : view.pictures) {
    data += format("%s{\"%s\":\"", data.empty() ? "" : ",", base.empty() ? "b64_json" : "url");
    data += base.empty() ? encode_base64(*picture.bytes) : base + picture_path(view, picture);
    data += format("\",\"seed\":%llu}", static_cast<unsigned long long>(picture.seed));
  }
  const Json tail = {{"background", "opaque"},
                     {"output_format", format_name(view.format)},
                     {"size", format("%dx%d", view.done.used.width, view.done.used.height)},
                     {"quality", quality}};
  return format("{\"created\":%lld,\"data\":[", static_cast<long long>(std::time(nullptr))) + data +
         "]," + tail.dump().substr(1);
}

/// What the events of a stream have in common.
Json event_of(const std::string& type, const serve::JobView& view, const std::string& quality) {
  const UsedSettings& used = view.done.used;
  Json event = {
      {"type", type},           {"created_at", static_cast<std::int64_t>(std::time(nullptr))},
      {"size", nullptr},        {"quality", quality},
      {"background", "opaque"}, {"output_format", format_name(view.format)}};
  if (used.width > 0) event["size"] = format("%dx%d", used.width, used.height);
  return event;
}

/// Tells one client of a stream about its job.
class Streamer {
 public:
  Streamer(std::shared_ptr<http::Exchange> exchange, const Generation& g, std::string kind)
      : exchange_(std::move(exchange)),
        kind_(std::move(kind)),
        quality_(g.quality),
        wanted_(g.partial_images) {}

  void tell(const serve::JobView& view) {
    const std::lock_guard lock(mutex_);
    if (over_) return;
    if (view.preview && view.previews > seen_ && sent_ < wanted_) {
      seen_ = view.previews;
      Json event = event_of(kind_ + ".partial_image", view, quality_);
      event["output_format"] = "png";
      event["partial_image_index"] = sent_++;
      event["b64_json"] = encode_base64(*view.preview);
      exchange_->send(sse_event(kind_ + ".partial_image", event.dump()));
    }
    if (!serve::is_over(view.state)) return;
    over_ = true;
    if (view.state == serve::JobState::kDone) {
      for (const serve::JobPicture& picture : view.pictures) complete(view, picture);
    } else {
      exchange_->send(sse_event("error", openai_error(error_of(view)).body));
    }
    exchange_->end();
  }

 private:
  void complete(const serve::JobView& view, const serve::JobPicture& picture) {
    Json event = event_of(kind_ + ".completed", view, quality_);
    event["b64_json"] = encode_base64(*picture.bytes);
    event["seed"] = picture.seed;
    event["usage"] = nullptr;  // nothing is counted
    exchange_->send(sse_event(kind_ + ".completed", event.dump()));
  }

  std::mutex mutex_;
  std::shared_ptr<http::Exchange> exchange_;
  std::string kind_, quality_;
  int wanted_, sent_ = 0, seen_ = 0;
  bool over_ = false;
};

/// Where the client finds this server: the guard has checked Host, and a proxy that speaks TLS for
/// us says so. Who lies about it misleads only itself.
std::string base_of(const http::Request& request, const Generation& g) {
  if (g.response_format != "url") return "";
  const bool tls = request.tls || request.header("X-Forwarded-Proto") == "https";
  return (tls ? "https://" : "http://") + std::string(request.header("Host"));
}

serve::JobListener answerer(const std::shared_ptr<http::Exchange>& exchange,
                            const std::string& quality, const std::string& base) {
  return [exchange, quality, base](const serve::JobView& view) {
    if (!serve::is_over(view.state)) return;
    if (view.state == serve::JobState::kDone) {
      exchange->respond({.body = answer_of(view, quality, base), .headers = headers_of(view)});
    } else {
      exchange->respond(openai_error(error_of(view)));
    }
  };
}

void generate(Service& service, const http::Request& request,
              const std::shared_ptr<http::Exchange>& exchange) {
  Generation g;
  bind_fields(fields_of(g), request.body, Unknown::kRefuse);
  const serve::ModelCard card = find_model(service, g.model);
  serve::JobSpec spec = spec_of(g, card, request);
  begin_and_answer(service, request, exchange, g, std::move(spec), "image_generation");
}

/// Names of models and devices are whatever bytes somebody chose.
std::string text_of(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

http::Response list_models(const Service& service) {
  Json list = Json::array();
  for (const std::string& name : service.models) list.push_back(model_json(service, name));
  return {.body = text_of(Json{{"object", "list"}, {"data", list}})};
}

http::Response show_model(const Service& service, const std::string& name) {
  for (const std::string& known : service.models) {
    if (known == name) return {.body = text_of(model_json(service, name))};
  }
  throw RequestError(404, "model_not_found", "the model '" + excerpt(name) + "' does not exist",
                     "model");
}

const char* type_of(int status) {
  if (status == 429) return "rate_limit_error";
  return status >= 500 ? "server_error" : "invalid_request_error";
}

}  // namespace

void begin_and_answer(Service& service, const http::Request& request,
                      const std::shared_ptr<http::Exchange>& exchange, const Generation& g,
                      serve::JobSpec spec, const std::string& kind) {
  serve::JobListener listener = answerer(exchange, g.quality, base_of(request, g));
  if (g.stream) {
    const auto streamer = std::make_shared<Streamer>(exchange, g, kind);
    listener = [streamer, exchange,
                begun = std::make_shared<std::once_flag>()](const serve::JobView& view) {
      std::call_once(*begun, [&] { exchange->begin(sse_head(), kSseHeartbeat); });
      streamer->tell(view);
    };
  }
  const Accepted job = submit(service, request, std::move(spec), std::move(listener));
  if (job.repeatable) return;  // the client comes back for it
  exchange->on_gone([&service, token = job.token] {
    service.jobs.cancel(token, serve::CancelCause::kDisconnect);
  });
}

void add_openai_routes(http::Router& router, Service& service) {
  Generation shape;
  router.add({.method = "POST",
              .pattern = "/v1/images/generations",
              .summary = "Draw pictures from a description.",
              .handler =
                  [&service](const http::Request& request,
                             const std::shared_ptr<http::Exchange>& exchange) {
                    generate(service, request, exchange);
                  },
              .body_limit = kGenerationBytes,
              .request_schema = schema_of(fields_of(shape))});
  router.add({.method = "GET",
              .pattern = "/v1/models",
              .summary = "The models that are served.",
              .handler = [&service](const http::Request&,
                                    const std::shared_ptr<http::Exchange>& exchange) {
                exchange->respond(list_models(service));
              }});
  router.add({.method = "GET",
              .pattern = "/v1/models/{id}",
              .summary = "One model.",
              .handler = [&service](const http::Request& request,
                                    const std::shared_ptr<http::Exchange>& exchange) {
                exchange->respond(show_model(service, request.parameters.at(0)));
              }});
}

http::Response openai_error(const RequestError& error) {
  Json body = {{"message", error.what()},
               {"type", type_of(error.status())},
               {"param", nullptr},
               {"code", error.name()}};
  if (!error.param().empty()) body["param"] = error.param();
  http::Response response{
      .status = error.status(),
      .body = Json{{"error", body}}.dump(-1, ' ', false, Json::error_handler_t::replace)};
  if (error.retry_after) {
    response.headers.push_back({"Retry-After", std::to_string(*error.retry_after)});
  }
  return response;
}

}  // namespace octet::api
