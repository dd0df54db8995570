// The tensors of the model that is quantised, as they are stored.
//
// Names are the diffusers ones, whatever those of the files. Immutable; reads may come from any
// thread. Errors: Error(kModelMismatch) for a source that is no 16- or 32-bit model,
// Error(kCorruptFile), Error(kIo).
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "backend/weight.h"
#include "checkpoint/tensor_file.h"
#include "engine/model_folder.h"

namespace octet {

/// The variant to quantise: the one asked for, else plain files, FP16, BF16 or FP32 ones.
[[nodiscard]] std::string choose_source(const ModelFolder& folder,
                                        const std::optional<std::string>& asked);

class SourceWeights {
 public:
  SourceWeights(const ModelFolder& folder, const std::string& variant);

  [[nodiscard]] const std::map<std::string, TensorInfo>& tensors() const { return tensors_; }
  /// From the stored name of a weight to its name here; of a group (layer_roles.h) to the first.
  [[nodiscard]] std::map<std::string, std::string> names() const;
  /// One tensor, without scales or bias.
  [[nodiscard]] HostWeight tensor(const std::string& name) const;
  /// The layers of a group (layer_roles.h) as one, with bias.
  [[nodiscard]] HostWeight group(const std::string& layer) const;
  /// dtype of most bytes, as safetensors calls it.
  [[nodiscard]] const std::string& stored() const { return stored_; }
  /// SHA-256 over all bytes of the files.
  [[nodiscard]] const std::string& digest() const { return digest_; }

 private:
  WeightReader reader_;
  std::map<std::string, TensorInfo> tensors_;
  std::string stored_, digest_;
};

}  // namespace octet
