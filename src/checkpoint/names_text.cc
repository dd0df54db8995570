// Names of the text encoders: CLIP without the prefix that newer transformers drop, CLIP as
// OpenCLIP writes it, T5 as llama.cpp converts it.
#include "checkpoint/tensor_names.h"

namespace octet {
namespace {

constexpr NameRule kWithoutPrefix[] = {
    {"embeddings.token_embedding", {"text_model.embeddings.token_embedding"}},
    {"embeddings.position_embedding", {"text_model.embeddings.position_embedding"}},
    {"=embeddings.position_ids", {"text_model.embeddings.position_ids"}},
    {"encoder.layers.*.layer_norm1", {"text_model.encoder.layers.*.layer_norm1"}},
    {"encoder.layers.*.layer_norm2", {"text_model.encoder.layers.*.layer_norm2"}},
    {"encoder.layers.*.self_attn.q_proj", {"text_model.encoder.layers.*.self_attn.q_proj"}},
    {"encoder.layers.*.self_attn.k_proj", {"text_model.encoder.layers.*.self_attn.k_proj"}},
    {"encoder.layers.*.self_attn.v_proj", {"text_model.encoder.layers.*.self_attn.v_proj"}},
    {"encoder.layers.*.self_attn.out_proj", {"text_model.encoder.layers.*.self_attn.out_proj"}},
    {"encoder.layers.*.mlp.fc1", {"text_model.encoder.layers.*.mlp.fc1"}},
    {"encoder.layers.*.mlp.fc2", {"text_model.encoder.layers.*.mlp.fc2"}},
    {"final_layer_norm", {"text_model.final_layer_norm"}},
};

constexpr NameRule kOpenClip[] = {
    {"token_embedding", {"text_model.embeddings.token_embedding"}},
    {"=positional_embedding", {"text_model.embeddings.position_embedding.weight"}},
    {"transformer.resblocks.*.ln_1", {"text_model.encoder.layers.*.layer_norm1"}},
    {"transformer.resblocks.*.ln_2", {"text_model.encoder.layers.*.layer_norm2"}},
    {"=transformer.resblocks.*.attn.in_proj_weight",
     {"text_model.encoder.layers.*.self_attn.q_proj.weight",
      "text_model.encoder.layers.*.self_attn.k_proj.weight",
      "text_model.encoder.layers.*.self_attn.v_proj.weight"},
     RowOrder::kThirds},
    {"=transformer.resblocks.*.attn.in_proj_bias",
     {"text_model.encoder.layers.*.self_attn.q_proj.bias",
      "text_model.encoder.layers.*.self_attn.k_proj.bias",
      "text_model.encoder.layers.*.self_attn.v_proj.bias"},
     RowOrder::kThirds},
    {"transformer.resblocks.*.attn.out_proj", {"text_model.encoder.layers.*.self_attn.out_proj"}},
    {"transformer.resblocks.*.mlp.c_fc", {"text_model.encoder.layers.*.mlp.fc1"}},
    {"transformer.resblocks.*.mlp.c_proj", {"text_model.encoder.layers.*.mlp.fc2"}},
    {"ln_final", {"text_model.final_layer_norm"}},
    {"=text_projection", {"text_projection.weight"}, RowOrder::kTransposed},
};

constexpr NameTable kClipTables[] = {{"transformers without text_model.", kWithoutPrefix},
                                     {"OpenCLIP", kOpenClip}};

constexpr NameRule kLlamaCpp[] = {
    {"token_embd", {"shared"}},
    {"enc.blk.*.attn_q", {"encoder.block.*.layer.0.SelfAttention.q"}},
    {"enc.blk.*.attn_k", {"encoder.block.*.layer.0.SelfAttention.k"}},
    {"enc.blk.*.attn_v", {"encoder.block.*.layer.0.SelfAttention.v"}},
    {"enc.blk.*.attn_o", {"encoder.block.*.layer.0.SelfAttention.o"}},
    {"enc.blk.*.attn_norm", {"encoder.block.*.layer.0.layer_norm"}},
    {"enc.blk.*.attn_rel_b", {"encoder.block.*.layer.0.SelfAttention.relative_attention_bias"}},
    {"enc.blk.*.ffn_gate", {"encoder.block.*.layer.1.DenseReluDense.wi_0"}},
    {"enc.blk.*.ffn_up", {"encoder.block.*.layer.1.DenseReluDense.wi_1"}},
    {"enc.blk.*.ffn_down", {"encoder.block.*.layer.1.DenseReluDense.wo"}},
    {"enc.blk.*.ffn_norm", {"encoder.block.*.layer.1.layer_norm"}},
    {"enc.output_norm", {"encoder.final_layer_norm"}},
};

constexpr NameTable kT5Tables[] = {{"llama.cpp", kLlamaCpp}};

}  // namespace

std::span<const NameTable> clip_name_tables() { return kClipTables; }
std::span<const NameTable> t5_name_tables() { return kT5Tables; }

}  // namespace octet
