#include "api/openai.h"

#include <cmath>
#include <ctime>
#include <nlohmann/json.hpp>
#include <utility>

#include "api/base64.h"
#include "base/format.h"
#include "diffusion/sampler.h"
#include "diffusion/schedule.h"

namespace octet::api {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kBodyBytes = 1 << 20;
constexpr std::size_t kPromptBytes = 32 << 10;

template <class Entries>
std::vector<std::string> names_of(const Entries& entries) {
  std::vector<std::string> names;
  for (const auto& entry : entries) names.emplace_back(entry.name);
  return names;
}

/// The body of POST /v1/images/generations.
struct Generation {
  GenerateRequest request;
  std::optional<std::string> model;
  std::string size = "auto", quality = "auto", background = "auto";
  std::string response_format = "b64_json", output_format = "png";
  std::optional<int> compression;
  std::string priority = "normal";
  std::optional<float> deadline;
};

void add_openai_fields(Generation& g, std::vector<Field>& fields) {
  fields.push_back({.name = "prompt",
                    .help = "What to draw.",
                    .target = &g.request.prompt,
                    .max_bytes = kPromptBytes,
                    .required = true});
  fields.push_back({.name = "model", .help = "An id of /v1/models.", .target = &g.model});
  fields.push_back({.name = "n",
                    .help = "Pictures; the next has one more as its seed.",
                    .target = &g.request.batch,
                    .low = 1,
                    .high = 10});
  fields.push_back({.name = "size",
                    .help = "WIDTHxHEIGHT in pixels, or auto for the model's own size.",
                    .target = &g.size});
  fields.push_back({.name = "response_format",
                    .help = "How a picture is returned.",
                    .target = &g.response_format,
                    .choices = {"b64_json"}});
  fields.push_back({.name = "output_format",
                    .help = "The file that a picture becomes.",
                    .target = &g.output_format,
                    .choices = {"png", "jpeg", "webp"}});
  fields.push_back({.name = "output_compression",
                    .help = "Quality of JPEG and WebP in percent.",
                    .target = &g.compression,
                    .low = 0,
                    .high = 100});
  fields.push_back({.name = "quality",
                    .help = "Steps where none are given: low 5/7 and high 10/7 of the model's own.",
                    .target = &g.quality,
                    .choices = {"auto", "low", "medium", "high", "standard", "hd"}});
  fields.push_back({.name = "background",
                    .help = "Pictures are always opaque.",
                    .target = &g.background,
                    .choices = {"auto", "opaque", "transparent"}});
  fields.push_back({.name = "style", .help = "Ignored.", .target = Ignored()});
  fields.push_back({.name = "moderation", .help = "Ignored.", .target = Ignored()});
  fields.push_back({.name = "user", .help = "Ignored.", .target = Ignored()});
}

void add_extension_fields(Generation& g, std::vector<Field>& fields) {
  fields.push_back({.name = "negative_prompt",
                    .help = "What the picture should not show.",
                    .target = &g.request.negative_prompt,
                    .max_bytes = kPromptBytes});
  fields.push_back({.name = "seed",
                    .help = "Picks the noise: same seed, same picture.",
                    .target = &g.request.seed});
  fields.push_back({.name = "num_inference_steps",
                    .help = "Denoising steps.",
                    .target = &g.request.steps,
                    .low = 1,
                    .high = 1000});
  fields.push_back({.name = "guidance_scale",
                    .help = "How closely to follow the prompt; 1 or less is without guidance.",
                    .target = &g.request.guidance,
                    .low = 0,
                    .high = 100});
  fields.push_back({.name = "sampler",
                    .help = "How to step.",
                    .target = &g.request.sampler,
                    .choices = names_of(samplers())});
  fields.push_back({.name = "scheduler",
                    .help = "Which noise levels to step through.",
                    .target = &g.request.schedule,
                    .choices = names_of(schedules())});
  fields.push_back({.name = "priority",
                    .help = "Jobs of a higher class are drawn first.",
                    .target = &g.priority,
                    .choices = {"high", "normal", "low"}});
  fields.push_back({.name = "deadline",
                    .help = "Seconds after which the job is cancelled.",
                    .target = &g.deadline,
                    .low = 0.1,
                    .high = 86400});
}

std::vector<Field> fields_of(Generation& g) {
  std::vector<Field> fields;
  add_openai_fields(g, fields);
  add_extension_fields(g, fields);
  return fields;
}

/// 28 steps become 20, 28 and 40; models with other defaults keep the proportion.
void apply_quality(Generation& g, const serve::ModelCard& card) {
  if (g.request.steps) return;
  const double factor = g.quality == "low"                         ? 20.0 / 28
                        : g.quality == "high" || g.quality == "hd" ? 40.0 / 28
                                                                   : 1;
  if (factor == 1) return;
  g.request.steps = std::max(1, static_cast<int>(std::lround(card.steps * factor)));
}

serve::JobSpec spec_of(Generation& g, const serve::ModelCard& card, const http::Request& request) {
  if (g.background == "transparent") {
    throw RequestError(400, "invalid_value",
                       "background: expected auto or opaque, found transparent", "background");
  }
  if (g.compression && g.output_format == "png") {
    throw RequestError(400, "invalid_value",
                       "output_compression: expected only with jpeg or webp, found png",
                       "output_compression");
  }
  set_size(g.request, g.size);
  check_size(g.request, card, "size");
  apply_quality(g, card);
  serve::JobSpec spec{
      .model = card.name,
      .request = std::move(g.request),
      .file = {.format = format_of(g.output_format), .quality = g.compression.value_or(-1)},
      .priority = priority_of(g.priority),
      .owner = owner_of(request)};
  if (g.deadline) spec.deadline = static_cast<double>(*g.deadline);
  return spec;
}

/// Written by hand: a JSON library would copy and check megabytes of base64.
std::string answer_of(const serve::JobView& view, const std::string& quality) {
  std::string data;
  for (const serve::JobPicture& picture : view.pictures) {
    data += format("%s{\"b64_json\":\"", data.empty() ? "" : ",");
    data += encode_base64(*picture.bytes);
    data += format("\",\"seed\":%llu}", static_cast<unsigned long long>(picture.seed));
  }
  const Json tail = {{"background", "opaque"},
                     {"output_format", format_name(view.format)},
                     {"size", format("%dx%d", view.done.used.width, view.done.used.height)},
                     {"quality", quality}};
  return format("{\"created\":%lld,\"data\":[", static_cast<long long>(std::time(nullptr))) + data +
         "]," + tail.dump().substr(1);
}

void generate(Service& service, const http::Request& request,
              const std::shared_ptr<http::Exchange>& exchange) {
  Generation g;
  bind_fields(fields_of(g), request.body, Unknown::kRefuse);
  const serve::ModelCard card = find_model(service, g.model);
  serve::JobSpec spec = spec_of(g, card, request);
  const auto listener = [exchange, quality = g.quality](const serve::JobView& view) {
    if (!serve::is_over(view.state)) return;
    if (view.state == serve::JobState::kDone) {
      exchange->respond({.body = answer_of(view, quality), .headers = headers_of(view)});
    } else {
      exchange->respond(openai_error(error_of(view)));
    }
  };
  const serve::Submission job = submit(service, std::move(spec), listener);
  exchange->on_gone([&service, token = job.token] {
    service.jobs.cancel(token, serve::CancelCause::kDisconnect);
  });
}

Json model_json(const Service& service, const std::string& name) {
  return {{"id", name}, {"object", "model"}, {"created", service.started}, {"owned_by", "octet"}};
}

http::Response list_models(const Service& service) {
  Json list = Json::array();
  for (const std::string& name : service.models) list.push_back(model_json(service, name));
  return {.body = Json{{"object", "list"}, {"data", list}}.dump()};
}

http::Response show_model(const Service& service, const std::string& name) {
  for (const std::string& known : service.models) {
    if (known == name) return {.body = model_json(service, name).dump()};
  }
  throw RequestError(404, "model_not_found", "the model '" + excerpt(name) + "' does not exist",
                     "model");
}

const char* type_of(int status) {
  if (status == 429) return "rate_limit_error";
  return status >= 500 ? "server_error" : "invalid_request_error";
}

}  // namespace

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
              .body_limit = kBodyBytes,
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
