// A ComfyUI file read back under the source's names, so that the loader can judge its values.
//
// Not thread-safe. Errors: Error(kModelMismatch) naming a tensor that the file lacks.
#pragma once

#include <memory>
#include <vector>

#include "checkpoint/tensor_file.h"
#include "quantize/fp8_file.h"

namespace octet {

/// The tensors of `file` (layout comfyui, made from `source`) as the diffusers layout has them:
/// q, k and v apart, halves in the other order, the one scale with each part.
[[nodiscard]] std::vector<OutTensor> comfy_twin(std::shared_ptr<const TensorFile> file,
                                                const SourceWeights& source);

}  // namespace octet
