#include "checkpoint/lora_names.h"

#include <algorithm>
#include <cctype>
#include <optional>

#include "checkpoint/tensor_names.h"

namespace octet {
namespace {

/// How one program spells the layers of one component.
struct Spelling {
  const char* component;
  const char* prefix;
  bool single_file;  // the layer's name in single files, else in diffusers folders
  bool underscores;  // instead of dots
};

constexpr Spelling kSpellings[] = {
    {"transformer", "transformer.", false, false},
    {"transformer", "base_model.model.", false, false},
    {"transformer", "lora_transformer_", false, true},
    {"transformer", "lycoris_", false, true},
    {"transformer", "lora_unet_", true, true},
    {"transformer", "diffusion_model.", true, false},
    {"transformer", "model.diffusion_model.", true, false},
    {"transformer", "", false, false},
    {"text_encoder", "text_encoder.", false, false},
    {"text_encoder", "lora_te1_", false, true},
    {"text_encoder", "text_encoders.clip_l.transformer.", false, false},
    {"text_encoder_2", "text_encoder_2.", false, false},
    {"text_encoder_2", "lora_te2_", false, true},
    {"text_encoder_2", "text_encoders.clip_g.transformer.", false, false},
    {"text_encoder_3", "text_encoder_3.", false, false},
    {"text_encoder_3", "lora_te3_", false, true},
    {"text_encoder_3", "text_encoders.t5xxl.transformer.", false, false},
};

// What the pattern's star stands for, empty where there is none; nullopt when the name differs.
std::optional<std::string> match(std::string_view pattern, std::string_view name) {
  const std::size_t star = pattern.find('*');
  if (star == std::string_view::npos) {
    return pattern == name ? std::optional<std::string>("") : std::nullopt;
  }
  if (!name.starts_with(pattern.substr(0, star))) return std::nullopt;
  name.remove_prefix(star);
  const std::size_t digits = std::min(name.size(), name.find_first_not_of("0123456789"));
  if (digits == 0 || name.substr(digits) != pattern.substr(star + 1)) return std::nullopt;
  return std::string(name.substr(0, digits));
}

std::string fill_in(std::string pattern, const std::string& number) {
  const std::size_t star = pattern.find('*');
  return star == std::string::npos ? pattern : pattern.replace(star, 1, number);
}

// The layer's name in single files; itself where the tables have no rule.
LoraName single_file_name(const std::string& layer, int blocks) {
  for (const NameTable& table : name_tables(Family::kMmdit)) {
    for (const NameRule& rule : table.rules) {
      const int parts = rule.order == RowOrder::kThirds ? 3 : 1;
      for (int part = 0; part < parts; ++part) {
        const auto number = match(rule.canonical.at(static_cast<std::size_t>(part)), layer);
        if (!number || rule.stored[0] == '=') continue;
        const bool last = *number == std::to_string(blocks - 1);
        return {.name = fill_in(rule.stored, *number),
                .part = part,
                .parts = parts,
                .swapped = rule.order == RowOrder::kSwappedHalves ||
                           (rule.order == RowOrder::kSwappedInLastBlock && last)};
      }
    }
  }
  return {.name = layer};
}

}  // namespace

std::vector<LoraName> lora_names(const std::string& component, const std::string& layer_name,
                                 int blocks) {
  std::vector<LoraName> names;
  const bool clip = component == "text_encoder" || component == "text_encoder_2";
  // Files of newer programs leave this prefix out, LoRA files do not.
  const std::string layer =
      (clip && layer_name.starts_with("encoder.") ? "text_model." : "") + layer_name;
  for (const Spelling& s : kSpellings) {
    if (component != s.component) continue;
    LoraName n = s.single_file ? single_file_name(layer, blocks) : LoraName{.name = layer};
    if (s.underscores) std::replace(n.name.begin(), n.name.end(), '.', '_');
    n.name = s.prefix + n.name;
    names.push_back(std::move(n));
  }
  return names;
}

std::string lora_component(const std::string& module) {
  for (const Spelling& s : kSpellings) {
    if (s.prefix[0] != '\0' && module.starts_with(s.prefix)) return s.component;
  }
  return "transformer";
}

}  // namespace octet
