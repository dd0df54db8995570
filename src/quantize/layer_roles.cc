#include "quantize/layer_roles.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace octet {
namespace {

constexpr const char* kBlocks = "transformer_blocks.";
constexpr const char* kWeight = ".weight";
constexpr std::array<const char*, 4> kLinearParts = {".attn.", ".attn2.", ".ff.", ".ff_context."};
constexpr std::array<const char*, 3> kModulationEnds = {".norm1.linear", ".norm1_context.linear",
                                                        "norm_out.linear"};
constexpr std::array<std::array<const char*, 3>, 2> kStacked = {
    {{".to_q", ".to_k", ".to_v"}, {".add_q_proj", ".add_k_proj", ".add_v_proj"}}};

}  // namespace

std::string layer_of(const std::string& tensor) {
  if (!tensor.ends_with(kWeight)) return tensor;
  return tensor.substr(0, tensor.size() - std::string(kWeight).size());
}

LayerRole role_of(const std::string& tensor, const std::vector<std::int64_t>& dims) {
  if (!tensor.ends_with(kWeight) || dims.size() != 2) return LayerRole::kKept;
  const std::string layer = layer_of(tensor);
  const auto ends = [&](const char* end) { return layer.ends_with(end); };
  if (std::any_of(kModulationEnds.begin(), kModulationEnds.end(), ends)) {
    return LayerRole::kModulation;
  }
  const auto holds = [&](const char* part) { return layer.find(part) != std::string::npos; };
  const bool linear =
      layer.starts_with(kBlocks) && std::any_of(kLinearParts.begin(), kLinearParts.end(), holds);
  return linear ? LayerRole::kBlockLinear : LayerRole::kKept;
}

int block_of(const std::string& name) {
  if (!name.starts_with(kBlocks)) return -1;
  const char* begin = name.data() + std::string(kBlocks).size();
  int block = -1;
  const auto [stop, error] = std::from_chars(begin, name.data() + name.size(), block);
  return error == std::errc() && stop != begin ? block : -1;
}

std::vector<std::string> group_of(const std::string& layer) {
  for (const auto& ends : kStacked) {
    for (const char* end : ends) {
      if (!layer.ends_with(end)) continue;
      const std::string stem = layer.substr(0, layer.size() - std::string(end).size());
      return {stem + ends[0], stem + ends[1], stem + ends[2]};
    }
  }
  return {layer};
}

}  // namespace octet
