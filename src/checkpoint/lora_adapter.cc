#include "checkpoint/lora_adapter.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/format.h"
#include "octet/error.h"

namespace octet {
namespace {

constexpr const char* kKey = "lora_adapter_metadata";
constexpr std::size_t kMaxBytes = std::size_t{1} << 20;

using Json = nlohmann::json;

// Only objects two deep are settings; a parser that kept more could be made to fill the memory.
Json parse(const std::string& file, const std::string& text) {
  const Json json =
      text.size() > kMaxBytes ? Json(Json::value_t::discarded) : Json::parse(text, nullptr, false);
  if (json.is_object()) return json;
  throw Error(Code::kCorruptFile, format("%s: LoRA: metadata %s: expected a JSON object of at most "
                                         "1 MiB",
                                         file.c_str(), kKey));
}

[[noreturn]] void fail(const std::string& file, const std::string& key, const char* expected) {
  throw Error(Code::kCorruptFile, format("%s: LoRA: metadata %s: \"%s\": expected %s", file.c_str(),
                                         kKey, excerpt(key).c_str(), expected));
}

float positive(const std::string& file, const std::string& key, const Json& value) {
  const double number = value.is_number() ? value.get<double>() : 0;
  if (!(number > 0) || !std::isfinite(static_cast<float>(number)))
    fail(file, key, "a number above 0");
  return static_cast<float>(number);
}

bool flag(const std::string& file, const std::string& key, const Json& value) {
  if (!value.is_boolean() && !value.is_null()) fail(file, key, "true or false");
  return value.is_boolean() && value.get<bool>();
}

// Patterns are regular expressions for the end of a name; those that are plain names are read.
std::string plain_pattern(const std::string& file, std::string pattern) {
  if (pattern.starts_with('^')) pattern.erase(0, 1);
  constexpr const char* kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.";
  if (pattern.empty() || pattern.find_first_not_of(kPlain) != std::string::npos) {
    throw Error(Code::kUnsupported,
                format("%s: LoRA: metadata %s: alpha_pattern: expected names of layers, found "
                       "\"%s\"",
                       file.c_str(), kKey, excerpt(pattern).c_str()));
  }
  return pattern;
}

}  // namespace

LoraAdapter::LoraAdapter(std::string file, const std::map<std::string, std::string>& metadata)
    : file_(std::move(file)) {
  const auto it = metadata.find(kKey);
  if (it == metadata.end()) return;
  const Json json = parse(file_, it->second);
  for (const auto& [key, value] : json.items()) {
    const std::size_t dot = key.find('.');
    if (dot == std::string::npos) continue;
    Settings& settings = components_[key.substr(0, dot)];
    const std::string name = key.substr(dot + 1);
    if (name == "lora_alpha") settings.alpha = positive(file_, key, value);
    if (name == "use_rslora") settings.root = flag(file_, key, value);
    if ((name == "use_dora" || name == "lora_bias") && flag(file_, key, value)) {
      throw Error(Code::kUnsupported, format("%s: LoRA: metadata %s: expected %s false, found true",
                                             file_.c_str(), kKey, excerpt(key).c_str()));
    }
    if (name != "alpha_pattern" || value.is_null()) continue;
    if (!value.is_object()) fail(file_, key, "an object");
    for (const auto& [pattern, alpha] : value.items()) {
      settings.alpha_of[plain_pattern(file_, pattern)] = positive(file_, pattern, alpha);
    }
  }
}

float LoraAdapter::scale(const std::string& module, std::int64_t rank) const {
  const std::size_t dot = module.find('.');
  const auto it = components_.find(module.substr(0, dot));
  if (dot == std::string::npos || it == components_.end() || it->second.alpha == 0) return 1;
  const Settings& settings = it->second;
  const std::string layer = module.substr(dot + 1);
  float alpha = settings.alpha;
  for (const auto& [pattern, value] : settings.alpha_of) {
    if (layer == pattern || layer.ends_with("." + pattern)) alpha = value;
  }
  const auto r = static_cast<float>(rank);
  return alpha / (settings.root ? std::sqrt(r) : r);
}

}  // namespace octet
