#include "api/generation.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "diffusion/sampler.h"
#include "diffusion/schedule.h"

namespace octet::api {
namespace {

constexpr std::size_t kPromptBytes = 32 << 10;

template <class Entries>
std::vector<std::string> names_of(const Entries& entries) {
  std::vector<std::string> names;
  for (const auto& entry : entries) names.emplace_back(entry.name);
  return names;
}

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
                    .help =
                        "How a picture is returned: in the answer, or as the place of a file that "
                        "is kept for a while and needs the same key.",
                    .target = &g.response_format,
                    .choices = {"b64_json", "url"}});
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
  fields.push_back(
      {.name = "stream", .help = "Answer with server-sent events.", .target = &g.stream});
  fields.push_back({.name = "partial_images",
                    .help = "Previews in the stream: small pictures of what is being drawn.",
                    .target = &g.partial_images,
                    .low = 0,
                    .high = 3});
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

}  // namespace

std::vector<Field> fields_of(Generation& g) {
  std::vector<Field> fields;
  add_openai_fields(g, fields);
  add_extension_fields(g, fields);
  return fields;
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
  if (g.stream && g.response_format == "url") {
    throw RequestError(400, "invalid_value", "response_format: expected b64_json in a stream",
                       "response_format");
  }
  set_size(g.request, g.size);
  check_size(g.request, card, "size");
  apply_quality(g, card);
  serve::JobSpec spec{
      .model = card.name,
      .request = std::move(g.request),
      .file = {.format = format_of(g.output_format), .quality = g.compression.value_or(-1)},
      .priority = priority_of(g.priority),
      .owner = request.owner,
      .route = request.route};
  spec.previews = g.partial_images > 0;
  spec.keep = g.response_format == "url";
  if (g.deadline) spec.deadline = static_cast<double>(*g.deadline);
  return spec;
}

}  // namespace octet::api
