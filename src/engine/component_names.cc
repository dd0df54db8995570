#include "engine/component_names.h"

#include <algorithm>
#include <iterator>
#include <vector>

#include "base/format.h"
#include "octet/error.h"

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

// Tensors beside the components that no engine needs, with the reason.
constexpr std::pair<const char*, const char*> kIgnored[] = {
    {"text_encoders.clip_l.logit_scale", "contrastive training only"},
    {"text_encoders.clip_g.logit_scale", "contrastive training only"},
    {"text_encoders.t5xxl.logit_scale", "never used"},
    {"model_sampling.", "the schedule is computed"},
    {"model_ema.", "training only"},
    {"loss.", "training only"},
};

bool any_starts_with(const TensorFiles& files, const std::string& prefix) {
  return std::any_of(files.begin(), files.end(),
                     [&](const auto& file) { return has_name(*file, prefix); });
}

bool is_known(const std::string& name) {
  const auto starts = [&](const ComponentPrefix& row) { return name.starts_with(row.prefix); };
  const auto ignored = [&](const auto& row) { return name.starts_with(row.first); };
  return std::any_of(std::begin(kPrefixes), std::end(kPrefixes), starts) ||
         std::any_of(std::begin(kIgnored), std::end(kIgnored), ignored);
}

}  // namespace

std::span<const ComponentPrefix> component_prefixes() { return kPrefixes; }

bool has_name(const TensorFile& file, const std::string& start) {
  const auto it = file.tensors().lower_bound(start);
  return it != file.tensors().end() && it->first.starts_with(start);
}

void check_all_known(const TensorFiles& files) {
  const auto used = [&](const ComponentPrefix& p) { return any_starts_with(files, p.prefix); };
  if (std::none_of(std::begin(kPrefixes), std::end(kPrefixes), used)) return;
  for (const auto& file : files) {
    std::vector<std::string> unknown;
    for (const auto& entry : file->tensors()) {
      if (!is_known(entry.first)) unknown.push_back(entry.first);
    }
    if (unknown.empty()) continue;
    std::string text =
        format("%s: %zu tensors of no component (", file->name().c_str(), unknown.size());
    for (std::size_t i = 0; i < unknown.size() && i < 5; ++i) {
      text += (i == 0 ? "" : ", ") + excerpt(unknown[i]);
    }
    throw Error(Code::kModelMismatch,
                text + (unknown.size() > 5 ? format(" and %zu more)", unknown.size() - 5) : ")"));
  }
}

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
