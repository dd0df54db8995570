// From diffusers names to those of Stability's and ComfyUI's single files.
//
// q, k and v become one tensor, and the halves of the modulation of the last block's text stream
// and of the output are the other way round there. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "quantize/source_weights.h"

namespace octet {

struct ComfyTensor {
  std::string name;                // with "model.diffusion_model."
  std::vector<std::string> parts;  // source tensors, stacked by rows
  bool swap_halves = false;        // of the rows
};

/// What becomes of a source tensor; empty for one that another carries (k and v). Throws
/// Error(kUnsupported) for a name that single files have no place for.
[[nodiscard]] std::optional<ComfyTensor> comfy_tensor(const std::string& name,
                                                      const SourceWeights& source);

/// Its values in the source's dtype.
[[nodiscard]] HostWeight comfy_weight(const SourceWeights& source, const ComfyTensor& tensor);

}  // namespace octet
