#include "api/edits.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "api/jobs_api.h"
#include "api/multipart.h"
#include "api/openai.h"
#include "base/sha256.h"

namespace octet::api {
namespace {

using Exchange = std::shared_ptr<http::Exchange>;

constexpr std::size_t kBodyBytes = std::size_t{32} << 20;

struct Edit {
  Generation generation;
  std::optional<double> strength;
};

std::vector<Field> fields_of(Edit& edit) {
  std::vector<Field> fields = fields_of(edit.generation);
  fields.push_back({.name = "strength",
                    .help = "How much of the picture changes.",
                    .target = &edit.strength,
                    .low = 0.01,
                    .high = 1});
  fields.push_back({.name = "input_fidelity", .help = "Ignored.", .target = Ignored()});
  fields.push_back(
      {.name = "image", .help = "The picture, a file; also as image[].", .target = Ignored()});
  fields.push_back({.name = "mask",
                    .help = "A picture that is transparent where to draw anew, a file.",
                    .target = Ignored()});
  return fields;
}

bool is_text(const Field& field) {
  return std::holds_alternative<std::string*>(field.target) ||
         std::holds_alternative<std::optional<std::string>*>(field.target);
}

/// A form's fields as the JSON that the binder reads: what is no text is written as in JSON.
std::string json_of(std::span<const Field> fields, std::span<const Part> parts) {
  nlohmann::ordered_json object = nlohmann::ordered_json::object();
  for (const Part& part : parts) {
    if (part.name == "image" || part.name == "image[]" || part.name == "mask") continue;
    if (object.contains(part.name)) {
      throw RequestError(400, "invalid_value", part.name + ": expected once, found twice",
                         part.name);
    }
    const std::string text(part.data);
    object[part.name] = text;
    for (const Field& field : fields) {
      if (field.name != part.name || is_text(field)) continue;
      const auto value = nlohmann::ordered_json::parse(text, nullptr, false);
      if (value.is_primitive() && !value.is_discarded()) object[part.name] = value;
    }
  }
  return object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// The one part of that name; null when there is none.
const Part* find_part(std::span<const Part> parts, std::string_view name) {
  const Part* found = nullptr;
  for (const Part& part : parts) {
    if (part.name != name && part.name != std::string(name) + "[]") continue;
    if (found) {
      throw RequestError(400, "invalid_value",
                         std::string(name) + ": expected one picture, found several",
                         std::string(name));
    }
    found = &part;
  }
  return found;
}

std::span<const std::byte> bytes_of(const Part& part) {
  return std::as_bytes(std::span(part.data));
}

/// The job that a form asks for, and the rest of the form in `e`.
serve::JobSpec spec_of_form(const Service& service, const http::Request& request, Edit& e) {
  const std::vector<Part> parts = split_multipart(request.body, request.header("Content-Type"));
  const std::vector<Field> fields = fields_of(e);
  bind_fields(fields, json_of(fields, parts), Unknown::kRefuse);
  const Part* image = find_part(parts, "image");
  const Part* mask = find_part(parts, "mask");
  if (!image) {
    throw RequestError(400, "missing_required_parameter", "image: expected a picture, found none",
                       "image");
  }
  Generation& g = e.generation;
  const serve::ModelCard card = find_model(service, g.model);
  serve::JobSpec spec = spec_of(g, card, request);
  DecodedPicture picture = decode_field(bytes_of(*image), "image");
  Image flat = over_white(picture);
  spec.request.init = InitPicture{flat.width, flat.height, std::move(flat.rgb)};
  spec.file.init_digest = sha256_hex(bytes_of(*image));
  if (mask) {
    const DecodedPicture where = decode_field(bytes_of(*mask), "mask");
    spec.request.mask = InitMask{where.image.width, where.image.height, transparency_of(where)};
    spec.file.mask_digest = sha256_hex(bytes_of(*mask));
  }
  spec.request.strength = e.strength;
  return spec;
}

void edit(Service& service, const http::Request& request, const Exchange& exchange) {
  Edit e;
  serve::JobSpec spec = spec_of_form(service, request, e);
  begin_and_answer(service, request, exchange, e.generation, std::move(spec), "image_edit");
}

void begin_edit_job(Service& service, const http::Request& request, const Exchange& exchange) {
  Edit e;
  begin_job(service, request, exchange, spec_of_form(service, request, e));
}

}  // namespace

void add_edit_routes(http::Router& router, Service& service, Decoder& decoder) {
  Edit shape;
  const auto add = [&](const char* pattern, const char* summary, PictureHandler function) {
    router.add({.method = "POST",
                .pattern = pattern,
                .summary = summary,
                .handler = on_decoder(decoder, service, function, openai_error),
                .body_limit = kBodyBytes,
                .multipart = true,
                .request_schema = schema_of(fields_of(shape))});
  };
  add("/v1/images/edits", "Draw a picture anew, or the part of it where a mask is transparent.",
      edit);
  add("/v1/jobs/edits", "Begin such a job.", begin_edit_job);
}

}  // namespace octet::api
