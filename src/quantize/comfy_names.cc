#include "quantize/comfy_names.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/check.h"
#include "quantize/layer_roles.h"

namespace octet {
namespace {

constexpr const char* kPrefix = "model.diffusion_model.";
using Pair = std::pair<const char*, const char*>;

// Outside the blocks: diffusers layer, single-file layer.
constexpr std::array<Pair, 9> kOutside = {{
    {"pos_embed.pos_embed", "pos_embed"},
    {"pos_embed.proj", "x_embedder.proj"},
    {"time_text_embed.timestep_embedder.linear_1", "t_embedder.mlp.0"},
    {"time_text_embed.timestep_embedder.linear_2", "t_embedder.mlp.2"},
    {"time_text_embed.text_embedder.linear_1", "y_embedder.mlp.0"},
    {"time_text_embed.text_embedder.linear_2", "y_embedder.mlp.2"},
    {"context_embedder", "context_embedder"},
    {"norm_out.linear", "final_layer.adaLN_modulation.1"},
    {"proj_out", "final_layer.linear"},
}};

// Inside a block; of q, k and v the first stands for all.
constexpr std::array<Pair, 18> kInside = {{
    {"attn.to_q", "x_block.attn.qkv"},
    {"attn.add_q_proj", "context_block.attn.qkv"},
    {"attn.norm_q", "x_block.attn.ln_q"},
    {"attn.norm_k", "x_block.attn.ln_k"},
    {"attn.norm_added_q", "context_block.attn.ln_q"},
    {"attn.norm_added_k", "context_block.attn.ln_k"},
    {"attn.to_out.0", "x_block.attn.proj"},
    {"attn.to_add_out", "context_block.attn.proj"},
    {"attn2.to_q", "x_block.attn2.qkv"},
    {"attn2.norm_q", "x_block.attn2.ln_q"},
    {"attn2.norm_k", "x_block.attn2.ln_k"},
    {"attn2.to_out.0", "x_block.attn2.proj"},
    {"norm1.linear", "x_block.adaLN_modulation.1"},
    {"norm1_context.linear", "context_block.adaLN_modulation.1"},
    {"ff.net.0.proj", "x_block.mlp.fc1"},
    {"ff.net.2", "x_block.mlp.fc2"},
    {"ff_context.net.0.proj", "context_block.mlp.fc1"},
    {"ff_context.net.2", "context_block.mlp.fc2"},
}};

template <std::size_t N>
const char* find(const std::array<Pair, N>& table, const std::string& name) {
  const auto it =
      std::find_if(table.begin(), table.end(), [&](const Pair& p) { return name == p.first; });
  return it == table.end() ? nullptr : it->second;
}

// "x.weight" -> {"x", ".weight"}
std::pair<std::string, std::string> split_end(const std::string& name) {
  for (const char* end : {".weight", ".bias"}) {
    if (name.ends_with(end)) return {name.substr(0, name.size() - std::string(end).size()), end};
  }
  return {name, ""};
}

int last_block(const SourceWeights& source) {
  int last = -1;
  for (const auto& [name, info] : source.tensors()) last = std::max(last, block_of(name));
  return last;
}

[[noreturn]] void unknown(const std::string& name) {
  throw Error(Code::kUnsupported,
              format("layout comfyui: tensor \"%s\": expected a name of the SD3 family, found no "
                     "place for it",
                     excerpt(name).c_str()));
}

}  // namespace

std::optional<ComfyTensor> comfy_tensor(const std::string& name, const SourceWeights& source) {
  const auto [layer, end] = split_end(name);
  const std::vector<std::string> group = group_of(layer);
  if (group.front() != layer) return std::nullopt;
  ComfyTensor result;
  for (const std::string& member : group) result.parts.push_back(member + end);
  const int block = block_of(name);
  if (block < 0) {
    const char* found = find(kOutside, layer);
    if (found == nullptr) unknown(name);
    result.name = std::string(kPrefix) + found + end;
    result.swap_halves = layer == "norm_out.linear";
    return result;
  }
  const std::string stem = "transformer_blocks." + std::to_string(block) + ".";
  const char* found = layer.starts_with(stem) ? find(kInside, layer.substr(stem.size())) : nullptr;
  if (found == nullptr) unknown(name);
  result.name = std::string(kPrefix) + "joint_blocks." + std::to_string(block) + "." + found + end;
  result.swap_halves = layer == stem + "norm1_context.linear" && block == last_block(source);
  return result;
}

HostWeight comfy_weight(const SourceWeights& source, const ComfyTensor& tensor) {
  HostWeight joint = source.tensor(tensor.parts.front());
  for (std::size_t i = 1; i < tensor.parts.size(); ++i) {
    const HostWeight part = source.tensor(tensor.parts[i]);
    if (part.dtype != joint.dtype || part.data.size() * i != joint.data.size()) {
      throw Error(Code::kModelMismatch,
                  format("tensor \"%s\": expected dtype and shape of \"%s\", found others",
                         part.name.c_str(), joint.name.c_str()));
    }
    joint.dims.at(0) += part.dims.at(0);
    joint.data.insert(joint.data.end(), part.data.begin(), part.data.end());
  }
  if (tensor.swap_halves) {
    const auto middle = joint.data.begin() + static_cast<std::ptrdiff_t>(joint.data.size() / 2);
    std::rotate(joint.data.begin(), middle, joint.data.end());
  }
  return joint;
}

}  // namespace octet
