#include "api/a1111.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

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
constexpr std::size_t kPromptBytes = 32 << 10;

std::string text_of(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

http::Response json_response(const Json& json) { return {.body = text_of(json)}; }

/// The body of POST /sdapi/v1/txt2img, as far as it means something here.
struct Txt2Img {
  GenerateRequest request;
  std::string sampler, scheduler;
  std::optional<float> cfg;
  int seed = -1;
  bool send_images = true;
};

std::vector<Field> fields_of(Txt2Img& t) {
  constexpr double kAnySide = 16384;
  return {
      {.name = "prompt",
       .help = "What to draw.",
       .target = &t.request.prompt,
       .max_bytes = kPromptBytes},
      {.name = "negative_prompt",
       .help = "What the picture should not show.",
       .target = &t.request.negative_prompt,
       .max_bytes = kPromptBytes},
      {.name = "width",
       .help = "Pixels; the nearest that the model can is taken.",
       .target = &t.request.width,
       .low = 1,
       .high = kAnySide},
      {.name = "height",
       .help = "Pixels; the nearest that the model can is taken.",
       .target = &t.request.height,
       .low = 1,
       .high = kAnySide},
      {.name = "steps",
       .help = "Denoising steps.",
       .target = &t.request.steps,
       .low = 1,
       .high = 1000},
      {.name = "cfg_scale", .help = "Guidance.", .target = &t.cfg, .low = 0, .high = 100},
      {.name = "seed",
       .help = "Picks the noise; -1 draws one.",
       .target = &t.seed,
       .low = -1,
       .high = 2147483647},
      {.name = "batch_size", .help = "Pictures.", .target = &t.request.batch, .low = 1, .high = 16},
      {.name = "sampler_name", .help = "A name of /samplers.", .target = &t.sampler},
      {.name = "scheduler", .help = "A name of /schedulers.", .target = &t.scheduler},
      {.name = "send_images",
       .help = "Whether the pictures are in the answer.",
       .target = &t.send_images}};
}

/// Octet's name of a sampler or schedule given by any of its names; empty: there is none.
template <class Entries>
std::string known_name(const Entries& entries, const std::string& given) {
  for (const auto& entry : entries) {
    const std::string name = entry.name;
    if (http::equal_without_case(given, name) ||
        http::equal_without_case(given, display_name(name))) {
      return name;
    }
  }
  return "";
}

/// Menus of clients hold names of samplers that only other programs have: the model's own is taken,
/// and said.
void apply_names(Txt2Img& t, std::vector<std::string>& remarks) {
  const auto choose = [&](const auto& entries, const std::string& given,
                          std::optional<std::string>& to, const char* what) {
    if (given.empty() || http::equal_without_case(given, "automatic")) return;
    const std::string name = known_name(entries, given);
    if (name.empty()) {
      remarks.push_back(
          format("%s '%s' is not known: the model's own was used", what, excerpt(given).c_str()));
    } else {
      to = name;
    }
  };
  choose(samplers(), t.sampler, t.request.sampler, "sampler");
  choose(schedules(), t.scheduler, t.request.schedule, "scheduler");
}

void fit_side(std::optional<int>& side, const serve::ModelCard& card, const char* name,
              std::vector<std::string>& remarks) {
  if (!side) return;
  const int multiple = card.side_multiple;
  const int nearest =
      std::clamp((*side + multiple / 2) / multiple * multiple, multiple, card.longest_side);
  if (nearest == *side) return;
  remarks.push_back(
      format("%s %d became %d, the nearest that the model can", name, *side, nearest));
  side = nearest;
}

std::string info_of(const serve::JobView& view, const GenerateRequest& request,
                    const serve::ModelCard& card, const std::vector<std::string>& remarks) {
  const UsedSettings& used = view.done.used;
  Json seeds = Json::array(), prompts = Json::array(), texts = Json::array();
  for (const serve::JobPicture& picture : view.pictures) {
    seeds.push_back(picture.seed);
    prompts.push_back(request.prompt);
    PictureParameters p;
    p.prompt = request.prompt;
    p.negative_prompt = request.negative_prompt;
    p.steps = used.steps;
    p.sampler = used.sampler;
    p.guidance = used.guidance;
    p.seed = picture.seed;
    p.size = PictureSize{picture.width, picture.height};
    p.model = card.name;
    p.model_hash = card.digest;
    texts.push_back(parameters_to_text(p));
  }
  std::vector<std::string> said = remarks;
  said.insert(said.end(), view.done.warnings.begin(), view.done.warnings.end());
  return text_of({{"prompt", request.prompt},
                  {"all_prompts", prompts},
                  {"negative_prompt", request.negative_prompt},
                  {"seed", used.seed},
                  {"all_seeds", seeds},
                  {"subseed", -1},
                  {"width", used.width},
                  {"height", used.height},
                  {"sampler_name", display_name(used.sampler)},
                  {"cfg_scale", used.guidance},
                  {"steps", used.steps},
                  {"batch_size", view.pictures.size()},
                  {"sd_model_name", card.name},
                  {"sd_model_hash", card.digest.substr(0, 10)},
                  {"infotexts", texts},
                  {"remarks", said}});
}

void txt2img(Service& service, const http::Request& request, const Exchange& exchange) {
  Txt2Img t;
  bind_fields(fields_of(t), request.body, Unknown::kIgnore);
  const serve::ModelCard card = find_model(service, std::nullopt);
  std::vector<std::string> remarks;
  apply_names(t, remarks);
  fit_side(t.request.width, card, "width", remarks);
  fit_side(t.request.height, card, "height", remarks);
  t.request.guidance = t.cfg;
  if (t.seed >= 0) t.request.seed = static_cast<std::uint64_t>(t.seed);
  serve::JobSpec spec;
  spec.model = card.name;
  spec.request = t.request;
  spec.owner = request.owner;
  spec.route = request.route;
  spec.previews = true;
  const auto listener = [exchange, drawn = t.request, card, remarks,
                         send = t.send_images](const serve::JobView& view) {
    if (!serve::is_over(view.state)) return;
    if (view.state != serve::JobState::kDone) {
      exchange->respond(a1111_error(error_of(view)));
      return;
    }
    Json images = Json::array();
    for (const serve::JobPicture& p : view.pictures) {
      if (send) images.push_back(encode_base64(*p.bytes));
    }
    exchange->respond({.body = text_of({{"images", images},
                                        {"parameters", Json::object()},
                                        {"info", info_of(view, drawn, card, remarks)}}),
                       .headers = headers_of(view)});
  };
  const Accepted job = submit(service, request, std::move(spec), listener);
  if (job.repeatable) return;
  exchange->on_gone([&service, token = job.token] {
    service.jobs.cancel(token, serve::CancelCause::kDisconnect);
  });
}

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
    {"POST", "/sdapi/v1/txt2img", "Draw pictures.", txt2img},
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

void add_a1111_routes(http::Router& router, Service& service) {
  Txt2Img shape;
  for (const Row& row : kRows) {
    const bool post = row.method == std::string("POST");
    router.add({.method = row.method,
                .pattern = row.path,
                .summary = row.summary,
                .handler = [&service, f = row.function](const http::Request& r,
                                                        const Exchange& e) { f(service, r, e); },
                .body_limit = post ? kBodyBytes : 0,
                .request_schema = row.function == txt2img ? schema_of(fields_of(shape)) : ""});
  }
}

bool is_a1111(const std::string& path) { return path.starts_with("/sdapi/"); }

http::Response a1111_error(const RequestError& error) {
  http::Response response{.status = error.status(), .body = text_of({{"detail", error.what()}})};
  if (error.retry_after) {
    response.headers.push_back({"Retry-After", std::to_string(*error.retry_after)});
  }
  return response;
}

}  // namespace octet::api
