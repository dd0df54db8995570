// What a LoRA file's metadata says about its scales: the PEFT settings that diffusers stores as
// JSON under "lora_adapter_metadata", each key after the component's name ("transformer.r").
//
// Read are lora_alpha, alpha_pattern and use_rslora; use_dora and lora_bias must be false.
// Errors: Error(kCorruptFile) for what cannot be read, Error(kUnsupported) for other settings.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace octet {

class LoraAdapter {
 public:
  /// `file` is used in messages.
  LoraAdapter(std::string file, const std::map<std::string, std::string>& metadata);

  /// alpha / rank of a module ("transformer.transformer_blocks.0.attn.to_q"), or alpha / sqrt(rank)
  /// where the settings say so; 1 where they say nothing.
  [[nodiscard]] float scale(const std::string& module, std::int64_t rank) const;

 private:
  struct Settings {
    float alpha = 0;  // 0: not given
    bool root = false;
    std::map<std::string, float> alpha_of;  // by the end of a module's name
  };
  std::string file_;
  std::map<std::string, Settings> components_;
};

}  // namespace octet
