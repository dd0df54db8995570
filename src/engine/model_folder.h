// A diffusers-layout model: which files each component consists of, and what its configs say.
//
//   model_index.json
//   transformer/ vae/ text_encoder/ text_encoder_2/ [text_encoder_3/]   weights and config.json
//   tokenizer/ tokenizer_2/ [tokenizer_3/]  scheduler/scheduler_config.json  [octet.json]
//
// Weights of one variant are "<stem>[.<variant>].safetensors", or shards
// "<stem>[.<variant>]-00001-of-00002[.<variant>].safetensors". Errors: Error(kModelMismatch) for
// what is missing, Error(kCorruptFile) for configs that cannot be read, Error(kIo).
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "checkpoint/files.h"
#include "checkpoint/weight_reader.h"
#include "engine/preset.h"
#include "model/clip.h"
#include "model/t5.h"
#include "model/vae.h"
#include "octet/engine.h"
#include "pipeline/models.h"
#include "text/tokenizer_files.h"

namespace octet {

/// Files of each variant of one component; the plain name is variant "".
using Variants = std::map<std::string, std::vector<std::string>>;

/// How a model's files are to be taken.
struct FolderOptions {
  Values values = Values::kRead;      // kShapes: all that `open` gives is known from headers alone
  bool plain_fp8 = false;             // FP8 without scales is a plain cast, whatever its codes
  std::optional<std::string> preset;  // whose default settings; empty: as the model says
};
[[nodiscard]] FolderOptions folder_options(const EngineOptions& options, Values values);

class ModelFolder {
 public:
  explicit ModelFolder(std::unique_ptr<FileSet> files, FolderOptions options = {});

  [[nodiscard]] const FileSet& files() const { return *files_; }
  /// Whether the folder holds weights of a component ("text_encoder_3").
  [[nodiscard]] bool has_component(const std::string& component) const;
  [[nodiscard]] Variants variants(const std::string& component) const;
  /// Opens the weights of one variant.
  [[nodiscard]] WeightReader open(const std::string& component, const std::string& variant) const;

  [[nodiscard]] TokenizerFiles tokenizer(const std::string& folder) const;
  [[nodiscard]] ClipOptions clip_options(const std::string& component, Act fallback) const;
  [[nodiscard]] T5Options t5_options() const;
  [[nodiscard]] VaeOptions vae_options() const;
  /// From octet.json, else the scheduler's shift and the preset.
  [[nodiscard]] ModelDefaults defaults(const MmditConfig& mmdit) const;
  /// Which preset holds and why: the one asked for, or what shapes and names say.
  [[nodiscard]] ChosenPreset preset(const MmditConfig& mmdit) const;
  [[nodiscard]] std::string name() const;

  /// SHA-256 over the names and sizes of `weights`, their headers and the first 4 KiB of every
  /// tensor, and the whole of the configs and tokenizers: tells models apart without reading
  /// gigabytes.
  [[nodiscard]] std::string digest(const std::vector<std::string>& weights) const;

 private:
  /// What the model's files say of it in words: names, titles.
  [[nodiscard]] std::string titles() const;
  /// quantization_config of a component's config, or hf_quant_config.json; empty without.
  [[nodiscard]] std::string quantization(const std::string& component) const;

  std::unique_ptr<FileSet> files_;
  FolderOptions options_;
};

}  // namespace octet
