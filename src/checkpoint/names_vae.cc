// Names of the VAE in latent-diffusion files, without "first_stage_model.". The levels of the
// decoder are counted from the other end there.
#include "checkpoint/tensor_names.h"

namespace octet {
namespace {

constexpr NameRule kLatentDiffusion[] = {
    {"encoder.norm_out", {"encoder.conv_norm_out"}},
    {"encoder.down.*.block.*.norm1", {"encoder.down_blocks.*.resnets.*.norm1"}},
    {"encoder.down.*.block.*.conv1", {"encoder.down_blocks.*.resnets.*.conv1"}},
    {"encoder.down.*.block.*.norm2", {"encoder.down_blocks.*.resnets.*.norm2"}},
    {"encoder.down.*.block.*.conv2", {"encoder.down_blocks.*.resnets.*.conv2"}},
    {"encoder.down.*.block.*.nin_shortcut", {"encoder.down_blocks.*.resnets.*.conv_shortcut"}},
    {"encoder.down.*.downsample.conv", {"encoder.down_blocks.*.downsamplers.0.conv"}},
    {"encoder.mid.block_1.norm1", {"encoder.mid_block.resnets.0.norm1"}},
    {"encoder.mid.block_1.conv1", {"encoder.mid_block.resnets.0.conv1"}},
    {"encoder.mid.block_1.norm2", {"encoder.mid_block.resnets.0.norm2"}},
    {"encoder.mid.block_1.conv2", {"encoder.mid_block.resnets.0.conv2"}},
    {"encoder.mid.block_2.norm1", {"encoder.mid_block.resnets.1.norm1"}},
    {"encoder.mid.block_2.conv1", {"encoder.mid_block.resnets.1.conv1"}},
    {"encoder.mid.block_2.norm2", {"encoder.mid_block.resnets.1.norm2"}},
    {"encoder.mid.block_2.conv2", {"encoder.mid_block.resnets.1.conv2"}},
    {"encoder.mid.attn_1.norm", {"encoder.mid_block.attentions.0.group_norm"}},
    {"encoder.mid.attn_1.q", {"encoder.mid_block.attentions.0.to_q"}, RowOrder::kMatrix},
    {"encoder.mid.attn_1.k", {"encoder.mid_block.attentions.0.to_k"}, RowOrder::kMatrix},
    {"encoder.mid.attn_1.v", {"encoder.mid_block.attentions.0.to_v"}, RowOrder::kMatrix},
    {"encoder.mid.attn_1.proj_out", {"encoder.mid_block.attentions.0.to_out.0"}, RowOrder::kMatrix},
    {"decoder.norm_out", {"decoder.conv_norm_out"}},
    {"decoder.up.*.block.*.norm1", {"decoder.up_blocks.~.resnets.*.norm1"}},
    {"decoder.up.*.block.*.conv1", {"decoder.up_blocks.~.resnets.*.conv1"}},
    {"decoder.up.*.block.*.norm2", {"decoder.up_blocks.~.resnets.*.norm2"}},
    {"decoder.up.*.block.*.conv2", {"decoder.up_blocks.~.resnets.*.conv2"}},
    {"decoder.up.*.block.*.nin_shortcut", {"decoder.up_blocks.~.resnets.*.conv_shortcut"}},
    {"decoder.up.*.upsample.conv", {"decoder.up_blocks.~.upsamplers.0.conv"}},
    {"decoder.mid.block_1.norm1", {"decoder.mid_block.resnets.0.norm1"}},
    {"decoder.mid.block_1.conv1", {"decoder.mid_block.resnets.0.conv1"}},
    {"decoder.mid.block_1.norm2", {"decoder.mid_block.resnets.0.norm2"}},
    {"decoder.mid.block_1.conv2", {"decoder.mid_block.resnets.0.conv2"}},
    {"decoder.mid.block_2.norm1", {"decoder.mid_block.resnets.1.norm1"}},
    {"decoder.mid.block_2.conv1", {"decoder.mid_block.resnets.1.conv1"}},
    {"decoder.mid.block_2.norm2", {"decoder.mid_block.resnets.1.norm2"}},
    {"decoder.mid.block_2.conv2", {"decoder.mid_block.resnets.1.conv2"}},
    {"decoder.mid.attn_1.norm", {"decoder.mid_block.attentions.0.group_norm"}},
    {"decoder.mid.attn_1.q", {"decoder.mid_block.attentions.0.to_q"}, RowOrder::kMatrix},
    {"decoder.mid.attn_1.k", {"decoder.mid_block.attentions.0.to_k"}, RowOrder::kMatrix},
    {"decoder.mid.attn_1.v", {"decoder.mid_block.attentions.0.to_v"}, RowOrder::kMatrix},
    {"decoder.mid.attn_1.proj_out", {"decoder.mid_block.attentions.0.to_out.0"}, RowOrder::kMatrix},
};

constexpr NameTable kTables[] = {{"latent-diffusion", kLatentDiffusion}};

}  // namespace

std::span<const NameTable> vae_name_tables() { return kTables; }

}  // namespace octet
