// Scales beside FP8 weights: which tensors of a file are scales, and of what.
//
// Every producer spells and marks them in its own way; attach_scales knows all spellings and
// gives back the weights alone, each with its scales, and what the file says about computing.
// Stored scale = value/code in all of them. Headers, metadata and the few bytes of markers are
// read here; the scales themselves are read and checked with their weight.
#pragma once

#include <string>

#include "checkpoint/stored_tensor.h"

namespace octet {

/// What is said about a component's weights outside of its tensors.
struct SchemeHints {
  std::string prefix;        // of the component's names in the files, for names in metadata
  std::string quantization;  // JSON: quantization_config, or the content of hf_quant_config.json
};

struct ScaledTensors {
  std::string scheme;  // "plain FP8", "ComfyUI scaled FP8", ...; empty without FP8 weights
  std::map<std::string, StoredTensor> tensors;
};

/// `component` is used in messages. Throws Error(kModelMismatch) for scales without weight, two
/// schemes in one component and marks that contradict the tensors; Error(kUnsupported) naming a
/// scheme that Octet cannot compute; Error(kCorruptFile) for metadata that cannot be read.
[[nodiscard]] ScaledTensors attach_scales(const std::string& component, const NamedTensors& tensors,
                                          const SchemeHints& hints);

}  // namespace octet
