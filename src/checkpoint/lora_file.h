// One LoRA file: low-rank changes of linear and convolution weights, under the names of the program
// that wrote it.
//
//   W' = W + weight * alpha / rank * B A      A [rank, in], B [out, rank]
//
// A and B are called lora_A/lora_B (PEFT, diffusers), lora_down/lora_up (kohya) or ...; alpha is a
// tensor beside them or stands in the file's metadata ("lora_adapter_metadata", diffusers), and is
// the rank where neither says it. Which layer a module means: lora_names.h.
// Every tensor must belong to a module and every module be complete; anything else, DoRA and other
// kinds of change among it, is refused naming the tensors. Values are read when they are asked for.
// Immutable after construction. Errors: Error(kModelMismatch) for tensors that do not fit each
// other, Error(kUnsupported) for other methods, Error(kCorruptFile) for values that cannot be.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "checkpoint/tensor_file.h"

namespace octet {

struct LoraModule {
  const TensorInfo* down = nullptr;   // A
  const TensorInfo* up = nullptr;     // B
  const TensorInfo* alpha = nullptr;  // null: not in a tensor
  std::int64_t rank = 0;
  float scale = 1;  // alpha / rank
};

class LoraFile {
 public:
  explicit LoraFile(std::shared_ptr<const TensorFile> file);

  [[nodiscard]] const std::string& name() const { return file_->name(); }
  /// By the layer's name in the file: "transformer.transformer_blocks.0.attn.to_q".
  [[nodiscard]] const std::map<std::string, LoraModule>& modules() const { return modules_; }
  /// The values of A or B; throws for a value that is not finite.
  [[nodiscard]] std::vector<float> values(const TensorInfo& tensor) const;
  /// SHA-256 over names, shapes and all values, in 64 hexadecimal digits.
  [[nodiscard]] std::string digest() const;

 private:
  void collect();
  void check(const std::string& name, LoraModule& module) const;

  std::shared_ptr<const TensorFile> file_;
  std::map<std::string, LoraModule> modules_;
};

/// The first five names and the count, for messages.
[[nodiscard]] std::string first_names(const std::vector<std::string>& names);

}  // namespace octet
