#include "engine/model_folder.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "base/check.h"
#include "base/json_document.h"
#include "base/sha256.h"
#include "engine/component_names.h"
#include "engine/shard_index.h"

namespace octet {
namespace {

constexpr const char* kSuffix = ".safetensors";

// Absent files read as an empty object.
json::Value read_config(const FileSet& files, const std::string& file) {
  if (!files.has(file)) return json::Value::object();
  constexpr std::uint64_t kMaxConfig = 1 << 20;
  const std::string path = files.location() + "/" + file;
  json::Value value = json::parse(read_text(files, file, kMaxConfig), path);
  json::require_object(value, path, "document");
  return value;
}

// A number of a config in [low, high].
double number_or(const json::Value& object, const char* key, double fallback,
                 std::pair<double, double> range, const std::string& file) {
  const json::Value* value = json::find(object, key, file);
  if (value == nullptr) return fallback;
  const double number = value->is_number() ? value->get<double>() : std::nan("");
  if (number >= range.first && number <= range.second) return number;
  json::fail(file, key, format("a number in %g..%g", range.first, range.second), value);
}

std::string stem_of(const std::string& component) {
  return component == "transformer" || component == "vae" ? "diffusion_pytorch_model" : "model";
}

// "00001-of-00003" at the end of `text`, cut off; the older order puts the variant behind it.
std::string without_shard_number(std::string text) {
  const std::size_t of = text.find("-of-");
  constexpr std::size_t kDigits = 5;
  if (of == std::string::npos || of < kDigits + 1 || text.size() < of + 4 + kDigits) return text;
  return text.erase(of - kDigits - 1, kDigits + 1 + 4 + kDigits);
}

std::string join(const Variants& variants) {
  std::string text;
  for (const auto& [name, files] : variants) {
    text += (text.empty() ? "" : ", ") + (name.empty() ? std::string("(unnamed)") : name);
  }
  return text;
}

// The model's own folder or file, not those above it. In a download cache of Hugging Face
// (models--OWNER--NAME/snapshots/COMMIT) it is the folder that names it.
std::string own_name(const std::string& location) {
  std::error_code ignored;  // then the path as given
  std::filesystem::path path = std::filesystem::absolute(location, ignored).lexically_normal();
  if (path.empty()) path = location;
  if (!path.has_filename()) path = path.parent_path();
  const std::filesystem::path above = path.parent_path();
  return (above.filename() == "snapshots" ? above.parent_path() : path).filename().string();
}

Act act_of(const std::string& name, Act fallback, const std::string& file) {
  if (name.empty()) return fallback;
  if (name == "quick_gelu") return Act::kQuickGelu;
  if (name == "gelu") return Act::kGeluErf;
  if (name == "gelu_new" || name == "gelu_pytorch_tanh") return Act::kGeluTanh;
  throw Error(Code::kUnsupported,
              file + ": hidden_act: expected quick_gelu, gelu or gelu_new, found " + excerpt(name));
}

void update(Sha256& hash, const std::string& text) {
  hash.update(std::as_bytes(std::span(text)));
  const std::byte end{0};
  hash.update(std::span(&end, 1));
}

void hash_weights(Sha256& hash, const FileSet& files, const std::string& name) {
  constexpr std::uint64_t kSample = 4096;
  auto source = files.open(name);
  update(hash, std::to_string(source->size()));
  const auto file = open_tensor_file(files.open(name));
  for (const auto& [tensor, info] : file->tensors()) {
    update(hash, tensor + " " + info.dtype_name + " " + std::to_string(info.bytes));
    std::vector<std::byte> sample(static_cast<std::size_t>(std::min(kSample, info.bytes)));
    source->read(info.offset, sample);
    hash.update(sample);
  }
}

}  // namespace

FolderOptions folder_options(const EngineOptions& options, Values values) {
  return {.values = values, .plain_fp8 = options.fp8_scheme == "plain", .preset = options.preset};
}

ModelFolder::ModelFolder(std::unique_ptr<FileSet> files, FolderOptions options)
    : files_(std::move(files)), options_(std::move(options)) {
  if (!files_->has("model_index.json")) {
    throw Error(Code::kModelMismatch,
                files_->location() + ": expected a diffusers folder with model_index.json, found " +
                    std::to_string(files_->list().size()) + " other files");
  }
  (void)read_config(*files_, "model_index.json");
}

Variants ModelFolder::variants(const std::string& component) const {
  const std::string begin = component + "/" + stem_of(component);
  Variants found;
  for (const std::string& file : files_->list()) {
    if (!file.starts_with(begin) || !file.ends_with(kSuffix)) continue;
    std::string middle =
        file.substr(begin.size(), file.size() - begin.size() - std::string(kSuffix).size());
    middle = without_shard_number(middle);
    if (!middle.empty() && middle[0] == '.') middle.erase(0, 1);
    found[middle].push_back(file);
  }
  return found;
}

bool ModelFolder::has_component(const std::string& component) const {
  return !variants(component).empty();
}

WeightReader ModelFolder::open(const std::string& component, const std::string& variant) const {
  const Variants all = variants(component);
  const auto it = all.find(variant);
  if (it == all.end()) {
    throw Error(
        Code::kModelMismatch,
        format("%s: %s: expected weights of variant \"%s\", found %s", files_->location().c_str(),
               component.c_str(), variant.c_str(), all.empty() ? "none" : join(all).c_str()));
  }
  TensorFiles opened;
  for (const std::string& file : it->second) opened.push_back(open_tensor_file(files_->open(file)));
  const std::string index =
      find_shard_index(*files_, component + "/" + stem_of(component), variant);
  if (!index.empty()) check_shard_index(*files_, index, it->second, opened);
  check_all_known(opened);
  ComponentSpec spec{.name = component,
                     .family = family_of(component),
                     .prefix = prefix_in(opened, component),
                     .quantization = quantization(component),
                     .plain_fp8 = options_.plain_fp8,
                     .values = options_.values};
  return {std::move(spec), std::move(opened)};
}

std::string ModelFolder::quantization(const std::string& component) const {
  const std::string file = component + "/config.json";
  const json::Value config = read_config(*files_, file);
  const json::Value* inside = json::find(config, "quantization_config", file);
  if (inside != nullptr) return inside->dump();
  const std::string beside = component + "/hf_quant_config.json";
  return files_->has(beside) ? read_config(*files_, beside).dump() : "";
}

TokenizerFiles ModelFolder::tokenizer(const std::string& folder) const {
  TokenizerFiles t{.origin = files_->location() + "/" + folder, .contents = {}};
  for (const char* name : {"vocab.json", "merges.txt", "tokenizer.json", "spiece.model",
                           "tokenizer_config.json", "special_tokens_map.json"}) {
    const std::string file = folder + "/" + name;
    if (files_->has(file)) t.contents[name] = read_text(*files_, file);
  }
  return t;
}

ClipOptions ModelFolder::clip_options(const std::string& component, Act fallback) const {
  const std::string file = component + "/config.json";
  const json::Value config = read_config(*files_, file);
  ClipOptions o;
  o.heads = static_cast<std::int64_t>(number_or(config, "num_attention_heads", 0, {1, 1024}, file));
  o.act = act_of(json::string_or(config, "hidden_act", "", file), fallback, file);
  o.eps = static_cast<float>(number_or(config, "layer_norm_eps", 1e-5, {0, 1}, file));
  // Single files have no config; the projection in theirs of CLIP-L is not SD3's.
  if (component == "text_encoder_2") o.projection = ClipProjection::kRequired;
  if (component == "text_encoder" && config.empty()) o.projection = ClipProjection::kUnused;
  return o;
}

T5Options ModelFolder::t5_options() const {
  const std::string file = "text_encoder_3/config.json";
  const json::Value config = read_config(*files_, file);
  T5Options o;
  o.eps = static_cast<float>(number_or(config, "layer_norm_epsilon", 1e-6, {0, 1}, file));
  o.max_distance = static_cast<std::int64_t>(
      number_or(config, "relative_attention_max_distance", 128, {2, 1 << 20}, file));
  return o;
}

VaeOptions ModelFolder::vae_options() const {
  const std::string file = "vae/config.json";
  const json::Value config = read_config(*files_, file);
  VaeOptions o;
  o.norm_groups = static_cast<std::int64_t>(
      number_or(config, "norm_num_groups", static_cast<double>(o.norm_groups), {1, 4096}, file));
  o.scaling_factor = static_cast<float>(number_or(
      config, "scaling_factor", static_cast<double>(o.scaling_factor), {1e-6, 1e6}, file));
  o.shift_factor = static_cast<float>(
      number_or(config, "shift_factor", static_cast<double>(o.shift_factor), {-1e6, 1e6}, file));
  return o;
}

ModelDefaults ModelFolder::defaults(const MmditConfig& mmdit) const {
  ModelDefaults d;
  const ChosenPreset chosen = preset(mmdit);
  d.steps = chosen.steps;
  d.guidance = chosen.guidance;
  d.schedule = chosen.schedule;
  const json::Value scheduler = read_config(*files_, "scheduler/scheduler_config.json");
  const double shift = number_or(scheduler, "shift", 3.0, {0.1, 100}, "scheduler_config.json");
  const json::Value transformer = read_config(*files_, "transformer/config.json");
  const double sample =
      number_or(transformer, "sample_size", 128, {1, 1024}, "transformer/config.json");

  const std::string file = "octet.json";
  const json::Value own = read_config(*files_, file);
  const auto whole = [&](const char* key, double fallback, double high) {
    return static_cast<int>(number_or(own, key, fallback, {1, high}, file));
  };
  if (!options_.preset) {  // what is asked for comes before what the model says
    d.steps = whole("steps", d.steps, 1000);
    d.guidance = static_cast<float>(
        number_or(own, "guidance", static_cast<double>(d.guidance), {0, 100}, file));
    d.schedule = json::string_or(own, "schedule", d.schedule, file);
  }
  d.shift = static_cast<float>(number_or(own, "shift", shift, {0.1, 100}, file));
  d.width = whole("width", 8 * sample, 1 << 14);
  d.height = whole("height", 8 * sample, 1 << 14);
  d.t5_length = whole("t5_length", d.t5_length, 512);
  d.sampler = json::string_or(own, "sampler", d.sampler, file);
  return d;
}

ChosenPreset ModelFolder::preset(const MmditConfig& mmdit) const {
  ChosenPreset chosen = choose_preset(mmdit, options_.preset, titles());
  if (!options_.preset && files_->has("octet.json")) {
    chosen.name = "the model's own";
    chosen.why = "octet.json";
  }
  return chosen;
}

std::string ModelFolder::titles() const {
  std::string text = own_name(files_->location());
  for (const char* file : {"model_index.json", "transformer/config.json"}) {
    text += " " + json::string_or(read_config(*files_, file), "_name_or_path", "", file);
  }
  const Variants all = variants("transformer");
  if (all.empty()) return text;
  const auto weights = open_tensor_file(files_->open(all.begin()->second[0]));
  for (const char* key : {"modelspec.title", "modelspec.architecture", "general.name"}) {
    const auto it = weights->metadata().find(key);
    if (it != weights->metadata().end()) text += " " + it->second;
  }
  return text;
}

std::string ModelFolder::name() const {
  const std::string own =
      json::string_or(read_config(*files_, "octet.json"), "name", "", "octet.json");
  if (!own.empty()) return own;
  return own_name(files_->location());
}

std::string ModelFolder::digest(const std::vector<std::string>& weights) const {
  Sha256 hash;
  for (const std::string& file : files_->list()) {
    const bool is_weight = std::find(weights.begin(), weights.end(), file) != weights.end();
    const bool is_config =
        file.find('/') != std::string::npos &&
        (file.ends_with(".json") || file.ends_with(".txt") || file.ends_with("spiece.model"));
    if (!is_weight && !is_config) continue;
    update(hash, file);
    if (is_weight) {
      hash_weights(hash, *files_, file);
    } else {
      update(hash, read_text(*files_, file));
    }
  }
  return hash.finish_hex();
}

}  // namespace octet
