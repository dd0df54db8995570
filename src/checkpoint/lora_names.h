// Which names a LoRA file may use for a layer of the model.
//
//   diffusers, PEFT   transformer.transformer_blocks.0.attn.to_q    base_model.model.<layer>
//   kohya             lora_unet_joint_blocks_0_x_block_attn_qkv     lora_te1_<layer>
//   ComfyUI           diffusion_model.joint_blocks.0.x_block.attn.qkv
//                     text_encoders.clip_l.transformer.<layer>
//   OneTrainer        lora_transformer_<layer>
//
// kohya, ComfyUI and others use the denoiser's single-file names, where q, k and v are one layer
// and halves of a modulation are in another order; the table is that of the checkpoints
// (tensor_names.h). Thread-safety: pure functions. Source: the key maps of the programs named.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace octet {

/// One name of a layer, and which rows under that name are its own.
struct LoraName {
  std::string name;
  int part = 0;  // of `parts` equal parts
  int parts = 1;
  bool swapped = false;  // the halves of the rows change places
};

/// `component` is "transformer", "text_encoder", "text_encoder_2" or "text_encoder_3"; `layer_name`
/// its diffusers name; `blocks` the number of blocks of a transformer.
[[nodiscard]] std::vector<LoraName> lora_names(const std::string& component,
                                               const std::string& layer_name, int blocks);
/// Whether a module's name is one of a text encoder; all others are taken for the transformer's.
/// Gives the component.
[[nodiscard]] std::string lora_component(const std::string& module);

}  // namespace octet
