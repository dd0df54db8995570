// The LoRA files of a run, applied to the layers of one component while they are read.
//
// A WeightReader hands each linear and convolution weight to the patch before it hands it out, so
// no model knows of LoRA. Which module belongs to which layer is settled before a weight is
// read: modules of this component that no layer has are refused, naming them.
// Not thread-safe. Errors: Error(kModelMismatch) for modules without a layer, two for one layer, or
// shapes that do not fit; Error(kCorruptFile) for values that are not finite.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "checkpoint/lora_file.h"
#include "checkpoint/lora_merge.h"
#include "checkpoint/lora_names.h"

namespace octet {

struct WeightedLora {
  std::shared_ptr<const LoraFile> file;
  float weight = 1;
};

class LoraPatch {
 public:
  /// `layers` are the diffusers names of all layers with a weight. `pool` must outlive the patch.
  LoraPatch(std::string component, std::vector<WeightedLora> loras,
            const std::vector<std::string>& layers, ThreadPool& pool);

  /// `weight` holds `layers` stacked by rows in equal parts.
  void apply(HostWeight& weight, std::span<const std::string> layers);
  /// Throws when a change was for a layer that is not read as a matrix (an embedding table).
  void finish() const;

  /// Layers changed by file `index`.
  [[nodiscard]] int layers_of(std::size_t index) const;
  /// Of all changed weights together: the relative error of storing them, by dtype ("F16").
  [[nodiscard]] const std::map<std::string, RoundingError>& errors() const { return errors_; }

 private:
  struct Hit {
    std::size_t lora = 0;
    std::string module;
    LoraName place;
  };
  void claim(std::size_t index, const std::vector<std::string>& layers, int blocks);
  [[nodiscard]] LowRankChange change(const Hit& hit, const std::string& layer, std::int64_t rows,
                                     std::int64_t columns) const;

  std::string component_;
  std::vector<WeightedLora> loras_;
  ThreadPool& pool_;
  std::map<std::string, std::vector<Hit>> hits_;  // by layer
  std::map<std::string, bool> applied_;           // by layer
  std::map<std::string, RoundingError> errors_;
};

}  // namespace octet
