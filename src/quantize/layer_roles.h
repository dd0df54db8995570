// Which tensors of an MMDiT become FP8, by their diffusers names.
//
// Pure functions over names and shapes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace octet {

enum class LayerRole : std::uint8_t {
  kBlockLinear,  // attention and MLP of a block: weights and inputs may be 8 bit
  kModulation,   // adaLN: weights may be 8 bit when asked for, inputs never are
  kKept,         // embedders, tables, norms, biases, output: 16 bit always
};

/// Of a tensor of this name and shape.
[[nodiscard]] LayerRole role_of(const std::string& tensor, const std::vector<std::int64_t>& dims);

/// The block that a tensor belongs to; -1 for none.
[[nodiscard]] int block_of(const std::string& name);

/// The layers (names without ".weight") that are computed as one with `layer`, in the order of
/// their rows: q, k and v of an attention, else the layer alone. Any member names the group.
[[nodiscard]] std::vector<std::string> group_of(const std::string& layer);

/// "x.weight" -> "x".
[[nodiscard]] std::string layer_of(const std::string& tensor);

}  // namespace octet
