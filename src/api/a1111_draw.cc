#include "api/a1111_draw.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "api/a1111.h"
#include "api/a1111_fields.h"
#include "api/base64.h"
#include "base/format.h"
#include "base/sha256.h"
#include "diffusion/sampler.h"
#include "diffusion/schedule.h"
#include "image/parameters.h"
#include "image/reshape.h"

namespace octet::api {
namespace {

using Json = nlohmann::ordered_json;
using Exchange = std::shared_ptr<http::Exchange>;

constexpr std::size_t kBodyBytes = std::size_t{1} << 20;
constexpr int kMostPictures = 16;
constexpr double kStrength = 0.75;

std::string text_of(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
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
  if (t.sampler.empty()) t.sampler = t.sampler_index;
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
                  {"denoising_strength", used.strength},
                  {"remarks", said}});
}

// ---- from a body to a job ------------------------------------------------------------------

using Remarks = std::vector<std::string>;

void say_ignored(const std::vector<std::string>& names, Remarks& remarks) {
  std::string all;
  for (const std::string& name : names) all += (all.empty() ? "" : ", ") + name;
  if (!all.empty()) remarks.push_back("ignored: " + all);
}

/// What both routes have in common; sizes come later.
void apply_common(Txt2Img& t, Remarks& remarks) {
  apply_names(t, remarks);
  t.request.guidance = t.cfg;
  if (t.seed >= 0) t.request.seed = static_cast<std::uint64_t>(t.seed);
  if (t.request.batch * t.iterations > kMostPictures) {
    throw RequestError(400, "invalid_value",
                       format("n_iter: expected at most %d pictures, found %d x %d", kMostPictures,
                              t.iterations, t.request.batch),
                       "n_iter");
  }
  t.request.batch *= t.iterations;
}

serve::ModelCard model_of(const Service& service, const Txt2Img& t) {
  return find_model(service, t.model.empty() ? std::nullopt : std::optional(t.model));
}

std::vector<std::byte> bytes_of(const std::string& text, const char* field) {
  std::string_view base64 = text;
  if (base64.starts_with("data:"))
    base64.remove_prefix(std::min(base64.find(',') + 1, text.size()));
  auto bytes = decode_base64(base64);
  if (bytes && !bytes->empty()) return *std::move(bytes);
  throw RequestError(400, "invalid_image",
                     std::string(field) +
                         ": expected a picture in base64, with or without data:...;base64, before "
                         "it (no address: nothing is fetched)",
                     field);
}

/// A1111 keeps what is transparent if anything is, else what is dark.
std::vector<std::uint8_t> mask_values(const DecodedPicture& mask, bool invert) {
  std::vector<std::uint8_t> values = mask.alpha.empty() ? grey_of(mask.image) : mask.alpha;
  if (invert) {
    for (std::uint8_t& value : values) value = static_cast<std::uint8_t>(255 - value);
  }
  return values;
}

Pixels reshaped(Pixels picture, int mode, PixelSize size) {
  if (mode == 1) return cut_to_ratio(picture, size);
  return mode == 2 ? fit_and_fill(picture, size) : std::move(picture);
}

/// Decodes the pictures of the request, in the shape that is asked for.
void take_pictures(Img2Img& t, const serve::ModelCard& card, serve::PictureFile& file,
                   Remarks& remarks) {
  if (t.pictures.size() != 1) {
    throw RequestError(422, "unsupported",
                       format("init_images: expected one picture, found %zu", t.pictures.size()),
                       "init_images");
  }
  const std::vector<std::byte> bytes = bytes_of(t.pictures.front(), "init_images");
  const DecodedPicture picture = decode_field(bytes, "init_images");
  file.init_digest = sha256_hex(bytes);
  Image flat = over_white(picture);
  if (!t.request.width) t.request.width = flat.width;
  if (!t.request.height) t.request.height = flat.height;
  fit_side(t.request.width, card, "width", remarks);
  fit_side(t.request.height, card, "height", remarks);
  const PixelSize size = {*t.request.width, *t.request.height};
  Pixels init = reshaped({{flat.width, flat.height}, 3, std::move(flat.rgb)}, t.resize_mode, size);
  t.request.init = InitPicture{init.size.width, init.size.height, std::move(init.values)};
  t.request.strength = t.strength.value_or(kStrength);
  if (!t.mask) return;
  const std::vector<std::byte> mask_bytes = bytes_of(*t.mask, "mask");
  const DecodedPicture mask = decode_field(mask_bytes, "mask");
  file.mask_digest = sha256_hex(mask_bytes);
  Pixels where = reshaped({{mask.image.width, mask.image.height}, 1, mask_values(mask, t.invert)},
                          t.resize_mode, size);
  t.request.mask = InitMask{where.size.width, where.size.height, std::move(where.values)};
}

void say_inpainting(const Img2Img& t, Remarks& remarks) {
  if (t.resize_mode == 3)
    remarks.emplace_back("resize_mode 3: the picture was resized, not its latents");
  if (!t.mask) return;
  if (t.fill && *t.fill != 1) {
    remarks.push_back(
        format("inpainting_fill %d: the masked part began with the picture (1)", *t.fill));
  }
  if (t.full_size == true) {
    remarks.emplace_back("inpaint_full_res: the whole picture was drawn at its size");
  }
}

/// What a picture is drawn by and into, and what is said of it.
struct Drawing {
  serve::ModelCard card;
  serve::PictureFile file = {};
  Remarks remarks = {};
};

void begin_and_answer(Service& service, const http::Request& request, const Exchange& exchange,
                      Txt2Img& t, const Drawing& drawing) {
  GenerateRequest drawn = t.request;  // without what is large
  drawn.init.reset();
  drawn.mask.reset();
  serve::JobSpec spec;
  spec.model = drawing.card.name;
  spec.request = std::move(t.request);
  spec.file = drawing.file;
  spec.owner = request.owner;
  spec.route = request.route;
  spec.previews = true;
  const auto listener = [exchange, drawn, card = drawing.card, remarks = drawing.remarks,
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

void txt2img(Service& service, const http::Request& request, const Exchange& exchange) {
  Txt2Img t;
  Remarks remarks;
  say_ignored(bind_fields(fields_of(t), request.body, Unknown::kIgnore), remarks);
  apply_common(t, remarks);
  Drawing drawing{.card = model_of(service, t)};
  fit_side(t.request.width, drawing.card, "width", remarks);
  fit_side(t.request.height, drawing.card, "height", remarks);
  drawing.remarks = std::move(remarks);
  begin_and_answer(service, request, exchange, t, drawing);
}

void img2img(Service& service, const http::Request& request, const Exchange& exchange) {
  Img2Img t;
  Remarks remarks;
  say_ignored(bind_fields(fields_of(t), request.body, Unknown::kIgnore), remarks);
  apply_common(t, remarks);
  Drawing drawing{.card = model_of(service, t)};
  take_pictures(t, drawing.card, drawing.file, remarks);
  say_inpainting(t, remarks);
  drawing.remarks = std::move(remarks);
  begin_and_answer(service, request, exchange, t, drawing);
}

}  // namespace

void add_a1111_draw_routes(http::Router& router, Service& service, Decoder& decoder) {
  Txt2Img words;
  Img2Img picture;
  router.add(
      {.method = "POST",
       .pattern = "/sdapi/v1/txt2img",
       .summary = "Draw pictures.",
       .handler = [&service](const http::Request& r, const Exchange& e) { txt2img(service, r, e); },
       .body_limit = kBodyBytes,
       .request_schema = schema_of(fields_of(words))});
  router.add({.method = "POST",
              .pattern = "/sdapi/v1/img2img",
              .summary = "Draw a picture anew, or the part of it that a mask shows.",
              .handler = on_decoder(decoder, service, img2img, a1111_error),
              .body_limit = kA1111PictureBytes,
              .request_schema = schema_of(fields_of(picture))});
}

}  // namespace octet::api
