#include "api/a1111.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "api/a1111_draw.h"
#include "api/base64.h"
#include "base/format.h"
#include "diffusion/sampler.h"
#include "diffusion/schedule.h"
#include "image/parameters.h"

namespace octet::api {
namespace {

using Json = nlohmann::ordered_json;
using Exchange = std::shared_ptr<http::Exchange>;

constexpr std::size_t kBodyBytes = std::size_t{1} << 20;

std::string text_of(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

http::Response json_response(const Json& json) { return {.body = text_of(json)}; }

/// Of the caller's jobs; idle is exactly 0 and 0, which SillyTavern waits for.
void progress(Service& service, const http::Request& request, const Exchange& exchange) {
  const std::vector<serve::JobView> jobs = service.jobs.of_owner(request.owner);
  Json state = {{"skipped", false}, {"interrupted", false}, {"stopping_generation", false},
                {"job", ""},        {"job_count", 0},       {"job_timestamp", "0"},
                {"job_no", 0},      {"sampling_step", 0},   {"sampling_steps", 0}};
  Json body = {{"progress", 0.0}, {"eta_relative", 0.0}};
  Json image = nullptr;
  const bool skip = http::query_value(request.query, "skip_current_image") == "true";
  for (const serve::JobView& view : jobs) {
    state["job_count"] = jobs.size();
    if (view.state != serve::JobState::kRunning) continue;
    state["job"] = view.token;
    if (view.stage == Stage::kDenoise && view.steps > 0) {  // others count other things
      state["sampling_step"] = view.step;
      state["sampling_steps"] = view.steps;
      body["progress"] = static_cast<double>(view.step) / view.steps;
    }
    if (view.stage == Stage::kDecode) body["progress"] = 1.0;
    body["eta_relative"] = view.eta.value_or(0);
    if (view.preview && !skip) image = encode_base64(*view.preview);
    break;
  }
  body["state"] = state;
  body["current_image"] = image;
  body["textinfo"] = nullptr;
  exchange->respond(json_response(body));
}

void interrupt(Service& service, const http::Request& request, const Exchange& exchange) {
  service.jobs.cancel_all_of(request.owner, serve::CancelCause::kClient);
  exchange->respond(json_response(Json::object()));
}

std::string title_of(const std::string& model) { return model; }

Json options_of(const Service& service) {
  return {{"sd_model_checkpoint", title_of(service.models.front())},
          {"samples_format", "png"},
          {"CLIP_stop_at_last_layers", 1},
          {"sd_vae", "Automatic"}};
}

/// Clients send the whole object back with one key changed. The one that means something here is
/// the model, and this server has its models side by side: only the default can be "chosen".
void set_options(Service& service, const http::Request& request, const Exchange& exchange) {
  std::string model;
  const Field field{.name = "sd_model_checkpoint", .help = "The model.", .target = &model};
  bind_fields({&field, 1}, request.body, Unknown::kIgnore);
  if (!model.empty() && model != title_of(service.models.front())) {
    throw RequestError(422, "unsupported",
                       "sd_model_checkpoint: expected '" + service.models.front() + "', found '" +
                           excerpt(model) + "'; /v1/images/generations takes a model per request");
  }
  exchange->respond(json_response(nullptr));
}

void list_models(Service& service, const http::Request&, const Exchange& exchange) {
  Json list = Json::array();
  for (const std::string& name : service.models) {
    std::string digest;
    for (const serve::ModelCard& card : service.status().models) {
      if (card.name == name) digest = card.digest;
    }
    list.push_back({{"title", title_of(name)},
                    {"model_name", name},
                    {"hash", digest.substr(0, 10)},
                    {"sha256", digest},
                    {"filename", name},
                    {"config", nullptr}});
  }
  exchange->respond(json_response(list));
}

void list_samplers(Service&, const http::Request&, const Exchange& exchange) {
  Json list = Json::array();
  for (const auto& entry : samplers()) {
    list.push_back({{"name", display_name(entry.name)},
                    {"aliases", Json::array({entry.name})},
                    {"options", Json::object()}});
  }
  exchange->respond(json_response(list));
}

void list_schedulers(Service&, const http::Request&, const Exchange& exchange) {
  Json list = Json::array();
  for (const auto& entry : schedules()) {
    list.push_back({{"name", entry.name}, {"label", display_name(entry.name)}});
  }
  exchange->respond(json_response(list));
}

void list_nothing(Service&, const http::Request&, const Exchange& exchange) {
  exchange->respond(json_response(Json::array()));
}

void show_options(Service& service, const http::Request&, const Exchange& exchange) {
  exchange->respond(json_response(options_of(service)));
}

struct Row {
  const char* method;
  const char* path;
  const char* summary;
  void (*function)(Service&, const http::Request&, const Exchange&);
};

constexpr Row kRows[] = {
    {"GET", "/sdapi/v1/progress", "How the caller's pictures stand.", progress},
    {"POST", "/sdapi/v1/interrupt", "Cancel the caller's pictures.", interrupt},
    {"POST", "/sdapi/v1/skip", "The same.", interrupt},
    {"GET", "/sdapi/v1/options", "Settings.", show_options},
    {"POST", "/sdapi/v1/options", "Accept settings; the model cannot be changed.", set_options},
    {"GET", "/sdapi/v1/sd-models", "Models.", list_models},
    {"GET", "/sdapi/v1/samplers", "Samplers.", list_samplers},
    {"GET", "/sdapi/v1/schedulers", "Schedules.", list_schedulers},
    {"GET", "/sdapi/v1/sd-vae", "None to choose from.", list_nothing},
    {"GET", "/sdapi/v1/upscalers", "None.", list_nothing},
    {"GET", "/sdapi/v1/latent-upscale-modes", "None.", list_nothing},
    {"GET", "/sdapi/v1/loras", "None to choose from.", list_nothing},
};

}  // namespace

void add_a1111_routes(http::Router& router, Service& service, Decoder& decoder) {
  add_a1111_draw_routes(router, service, decoder);
  for (const Row& row : kRows) {
    router.add({.method = row.method,
                .pattern = row.path,
                .summary = row.summary,
                .handler = [&service, f = row.function](const http::Request& r,
                                                        const Exchange& e) { f(service, r, e); },
                .body_limit = row.method == std::string("POST") ? kBodyBytes : 0});
  }
}

bool is_a1111(const std::string& path) { return path.starts_with("/sdapi/"); }

http::Response a1111_error(const RequestError& error) {
  // That server's own: 422 for every field that is wrong, more words for its own failures.
  const bool field = error.status() == 400 && error.name() != "invalid_request";
  Json body = {{"detail", error.what()}};
  if (error.status() == 500) {
    body = {
        {"error", error.name()}, {"detail", error.what()}, {"body", ""}, {"errors", error.what()}};
  }
  http::Response response{.status = field ? 422 : error.status(), .body = text_of(body)};
  if (error.retry_after) {
    response.headers.push_back({"Retry-After", std::to_string(*error.retry_after)});
  }
  return response;
}

}  // namespace octet::api
