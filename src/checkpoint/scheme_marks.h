// What producers of FP8 files write about their layers, outside of the tensors themselves: JSON in
// marker tensors, in a file's metadata and in a folder's configs.
//
// Internal to src/checkpoint. Pure functions; `where` names the place in messages.
// Errors: Error(kCorruptFile) for what cannot be read, Error(kUnsupported) naming a scheme or
// field that Octet does not know.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tensor/dtype.h"

namespace octet {

/// What is said about one layer.
struct LayerMark {
  std::optional<DType> codes;       // the FP8 type that its weight must have
  std::string wide_inputs;          // why its inputs stay in 16 bits; empty: they need not
  std::vector<std::int64_t> block;  // rows and columns that share a scale; empty: not said
  bool operator==(const LayerMark&) const = default;
};

/// The JSON of a `comfy_quant` tensor.
[[nodiscard]] LayerMark comfy_layer_mark(const std::string& text, const std::string& where);
/// The JSON of `_quantization_metadata`, by layer.
[[nodiscard]] std::map<std::string, LayerMark> comfy_file_marks(const std::string& text,
                                                                const std::string& where);
/// The JSON that torchao keeps in the metadata under a weight's name.
[[nodiscard]] LayerMark torchao_mark(const std::string& text, const std::string& where);

/// A folder's quantization_config or hf_quant_config.json.
struct FolderMark {
  std::string method;                 // "modelopt", "torchao", "fp8"
  std::int64_t block = 0;             // side of the scale blocks; 0: not said
  std::vector<std::string> excluded;  // layers kept in high precision; * stands for anything
};
[[nodiscard]] FolderMark folder_mark(const std::string& text, const std::string& where);
/// Whether one of the patterns covers a layer: itself, a module it lies in, or a match of *.
[[nodiscard]] bool excluded_by(const std::vector<std::string>& patterns, const std::string& layer);

}  // namespace octet
