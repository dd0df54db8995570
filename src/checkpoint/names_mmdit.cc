// Names of the denoiser in Stability's single files, without "model.diffusion_model.".
#include "checkpoint/tensor_names.h"

namespace octet {
namespace {

constexpr NameRule kSingleFile[] = {
    {"=pos_embed", {"pos_embed.pos_embed"}},
    {"x_embedder.proj", {"pos_embed.proj"}},
    {"t_embedder.mlp.0", {"time_text_embed.timestep_embedder.linear_1"}},
    {"t_embedder.mlp.2", {"time_text_embed.timestep_embedder.linear_2"}},
    {"y_embedder.mlp.0", {"time_text_embed.text_embedder.linear_1"}},
    {"y_embedder.mlp.2", {"time_text_embed.text_embedder.linear_2"}},
    {"joint_blocks.*.x_block.attn.qkv",
     {"transformer_blocks.*.attn.to_q", "transformer_blocks.*.attn.to_k",
      "transformer_blocks.*.attn.to_v"},
     RowOrder::kThirds},
    {"joint_blocks.*.x_block.attn.ln_q", {"transformer_blocks.*.attn.norm_q"}},
    {"joint_blocks.*.x_block.attn.ln_k", {"transformer_blocks.*.attn.norm_k"}},
    {"joint_blocks.*.x_block.attn.proj", {"transformer_blocks.*.attn.to_out.0"}},
    {"joint_blocks.*.x_block.attn2.qkv",
     {"transformer_blocks.*.attn2.to_q", "transformer_blocks.*.attn2.to_k",
      "transformer_blocks.*.attn2.to_v"},
     RowOrder::kThirds},
    {"joint_blocks.*.x_block.attn2.ln_q", {"transformer_blocks.*.attn2.norm_q"}},
    {"joint_blocks.*.x_block.attn2.ln_k", {"transformer_blocks.*.attn2.norm_k"}},
    {"joint_blocks.*.x_block.attn2.proj", {"transformer_blocks.*.attn2.to_out.0"}},
    {"joint_blocks.*.x_block.adaLN_modulation.1", {"transformer_blocks.*.norm1.linear"}},
    {"joint_blocks.*.x_block.mlp.fc1", {"transformer_blocks.*.ff.net.0.proj"}},
    {"joint_blocks.*.x_block.mlp.fc2", {"transformer_blocks.*.ff.net.2"}},
    {"joint_blocks.*.context_block.attn.qkv",
     {"transformer_blocks.*.attn.add_q_proj", "transformer_blocks.*.attn.add_k_proj",
      "transformer_blocks.*.attn.add_v_proj"},
     RowOrder::kThirds},
    {"joint_blocks.*.context_block.attn.ln_q", {"transformer_blocks.*.attn.norm_added_q"}},
    {"joint_blocks.*.context_block.attn.ln_k", {"transformer_blocks.*.attn.norm_added_k"}},
    {"joint_blocks.*.context_block.attn.proj", {"transformer_blocks.*.attn.to_add_out"}},
    {"joint_blocks.*.context_block.adaLN_modulation.1",
     {"transformer_blocks.*.norm1_context.linear"},
     RowOrder::kSwappedInLastBlock},
    {"joint_blocks.*.context_block.mlp.fc1", {"transformer_blocks.*.ff_context.net.0.proj"}},
    {"joint_blocks.*.context_block.mlp.fc2", {"transformer_blocks.*.ff_context.net.2"}},
    {"final_layer.adaLN_modulation.1", {"norm_out.linear"}, RowOrder::kSwappedHalves},
    {"final_layer.linear", {"proj_out"}},
};

constexpr NameTable kTables[] = {{"Stability single file", kSingleFile}};

}  // namespace

std::span<const NameTable> mmdit_name_tables() { return kTables; }

}  // namespace octet
