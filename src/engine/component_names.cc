#include "engine/component_names.h"

namespace octet {
namespace {

constexpr ComponentPrefix kPrefixes[] = {
    {"model.diffusion_model.", "transformer"},
    {"first_stage_model.", "vae"},
    {"vae.", "vae"},
    {"text_encoders.clip_l.transformer.", "text_encoder"},
    {"text_encoders.clip_g.transformer.", "text_encoder_2"},
    {"text_encoders.t5xxl.transformer.", "text_encoder_3"},
};

bool any_starts_with(const TensorFiles& files, const std::string& prefix) {
  for (const auto& file : files) {
    const auto it = file->tensors().lower_bound(prefix);
    if (it != file->tensors().end() && it->first.starts_with(prefix)) return true;
  }
  return false;
}

}  // namespace

std::span<const ComponentPrefix> component_prefixes() { return kPrefixes; }

std::string prefix_in(const TensorFiles& files, const std::string& component) {
  for (const ComponentPrefix& p : kPrefixes) {
    if (component == p.component && any_starts_with(files, p.prefix)) return p.prefix;
  }
  return "";
}

Family family_of(const std::string& component) {
  if (component == "transformer") return Family::kMmdit;
  if (component == "vae") return Family::kVae;
  if (component == "text_encoder" || component == "text_encoder_2") return Family::kClip;
  return component == "text_encoder_3" ? Family::kT5 : Family::kOther;
}

}  // namespace octet
