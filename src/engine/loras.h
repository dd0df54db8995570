// The LoRA files of a run on their way into the components of a model, and the account of them.
//
// Not thread-safe. Errors: those of lora_file.h and lora_patch.h, before a weight is read.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "checkpoint/lora_patch.h"
#include "checkpoint/weight_reader.h"
#include "octet/engine.h"

namespace octet {

class Loras {
 public:
  /// Opens and checks all files. `threads` merge.
  Loras(const std::vector<LoraOption>& options, int threads);

  /// Refuses changes of a text encoder for which `has(component)` is false.
  void require_components(const std::function<bool(const std::string&)>& has) const;
  /// To be called around the loading of a component: from `begin` on its weights are changed.
  void begin(const std::string& component, WeightReader& reader);
  void end();
  /// Adds files, merges and digest to `info`.
  void describe(ModelInfo& info) const;

 private:
  std::vector<LoraOption> options_;
  std::vector<WeightedLora> files_;
  std::unique_ptr<ThreadPool> pool_;
  std::string component_;
  std::unique_ptr<LoraPatch> patch_;  // of the component that is being loaded
  std::vector<int> layers_;           // changed, by file
  std::vector<LoraMerge> merges_;
};

}  // namespace octet
