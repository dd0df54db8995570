#include "engine/loras.h"

#include <cmath>

#include "base/check.h"
#include "base/sha256.h"

namespace octet {

Loras::Loras(const std::vector<LoraOption>& options, int threads)
    : options_(options), layers_(options.size()) {
  for (const LoraOption& option : options_) {
    if (!std::isfinite(option.weight)) {
      throw Error(Code::kInvalidArgument, "lora: expected a finite weight");
    }
    files_.push_back({.file = std::make_shared<LoraFile>(open_tensor_file(open_file(option.path))),
                      .weight = option.weight});
  }
  if (!files_.empty()) pool_ = std::make_unique<ThreadPool>(threads);
}

void Loras::require_components(const std::function<bool(const std::string&)>& has) const {
  for (const WeightedLora& lora : files_) {
    std::vector<std::string> without;
    std::string missing;
    for (const auto& [module, parts] : lora.file->modules()) {
      const std::string component = lora_component(module);
      if (has(component)) continue;
      missing = component;
      without.push_back(module);
    }
    if (without.empty()) continue;
    throw Error(Code::kModelMismatch,
                format("%s: LoRA: expected layers of this model, which has no %s; found %zu (%s)",
                       lora.file->name().c_str(), missing.c_str(), without.size(),
                       first_names(without).c_str()));
  }
}

void Loras::begin(const std::string& component, WeightReader& reader) {
  if (files_.empty()) return;
  component_ = component;
  patch_ = std::make_unique<LoraPatch>(component, files_, reader.layers(), *pool_);
  reader.patch_with(*patch_);
}

void Loras::end() {
  if (patch_ == nullptr) return;
  patch_->finish();
  for (std::size_t i = 0; i < files_.size(); ++i) layers_[i] += patch_->layers_of(i);
  for (const auto& [dtype, error] : patch_->errors()) {
    merges_.push_back({.component = component_, .stored = dtype, .rounding = error.relative()});
  }
  patch_.reset();
}

void Loras::describe(ModelInfo& info) const {
  if (files_.empty()) return;
  Sha256 sha;
  const auto add = [&](const std::string& text) { sha.update(std::as_bytes(std::span(text))); };
  add(info.digest);
  for (std::size_t i = 0; i < files_.size(); ++i) {
    add(files_[i].file->digest());
    sha.update(std::as_bytes(std::span(&files_[i].weight, 1)));
    info.loras.push_back(
        {.path = options_[i].path, .weight = files_[i].weight, .layers = layers_[i]});
  }
  info.digest = sha.finish_hex();
  info.lora_merges = merges_;
}

}  // namespace octet
