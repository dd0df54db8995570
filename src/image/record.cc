#include "image/record.h"

#include "base/format.h"
#include "base/version.h"

namespace octet {
namespace {

/// "auto" means different numbers on different machines, so the record says what it came to.
std::string compute_of(const PictureOrigin& origin) {
  const std::string& requested = origin.engine.compute;
  if (requested != "auto") return requested;
  for (const ComponentInfo& part : origin.model.components) {
    if (part.name != "transformer") continue;
    for (const char* known : {"f32", "bf16", "w8a16", "fp8"}) {
      if (part.compute == known) return known;
    }
  }
  return requested;
}

}  // namespace

PictureParameters record_of(const PictureOrigin& origin) {
  const UsedSettings& used = origin.used;
  const GenerateRequest& request = origin.request;
  PictureParameters record;
  record.prompt = request.prompt;
  record.negative_prompt = request.negative_prompt;
  record.steps = used.steps;
  record.sampler = used.sampler;
  record.schedule = used.schedule;
  record.guidance = used.guidance;
  // Noise that was given has no seed that would bring it back.
  if (!request.noise) record.seed = origin.picture.seed;
  record.size = PictureSize{.width = origin.picture.width, .height = origin.picture.height};
  record.model = origin.engine.model;
  record.model_hash = origin.model.digest;
  record.variant = origin.engine.variant;
  for (const LoraOption& lora : origin.engine.loras) {
    if (!record.loras) record.loras.emplace();
    record.loras->push_back(format("%s:%.9g", lora.path.c_str(), static_cast<double>(lora.weight)));
  }
  record.shift = used.shift;
  if (!request.skip_layers.empty()) {
    record.skip_layers = request.skip_layers;
    record.skip_scale = used.skip_scale;
    record.skip_start = used.skip_start;
    record.skip_end = used.skip_end;
  }
  if (used.strength > 0) {
    record.strength = used.strength;
    record.init_hash = origin.init_digest;
    if (request.mask) record.mask_hash = origin.mask_digest;
  }
  if (used.t5_length > 0) record.t5_length = used.t5_length;
  record.compat = compat_name(request.compat);
  record.compute = compute_of(origin);
  record.version = engine_version();
  return record;
}

const char* compat_name(Compat compat) {
  switch (compat) {
    case Compat::kDiffusers:
      return "diffusers";
    case Compat::kComfyUi:
      return "comfyui";
    case Compat::kReference:
      return "reference";
  }
  return "diffusers";
}

}  // namespace octet
