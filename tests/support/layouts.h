// One small model in the layouts that circulate, written by hand from their descriptions, so that
// they are an oracle for the name tables rather than their mirror image.
#pragma once

#include "support/tensors.h"

namespace octet::test {

using Metadata = std::map<std::string, std::string>;

/// Every value becomes one that E4M3, E5M2, F16 and BF16 all hold exactly, also times 8.
[[nodiscard]] TensorMap exact(TensorMap tensors);

/// The denoiser under Stability's names: q, k, v in one tensor, modulation halves exchanged.
[[nodiscard]] TensorMap single_file_mmdit(const TensorMap& diffusers, std::int64_t depth);
/// The VAE under latent-diffusion names: decoder levels from the other end, 1x1 convolutions.
[[nodiscard]] TensorMap latent_diffusion_vae(const TensorMap& diffusers, std::int64_t levels);
/// CLIP as OpenCLIP stores it: fused in_proj, transposed projection.
[[nodiscard]] TensorMap open_clip(const TensorMap& transformers, std::int64_t layers);

[[nodiscard]] TensorMap prefixed(const TensorMap& tensors, const std::string& prefix);
[[nodiscard]] TensorMap without_prefix(const TensorMap& tensors, const std::string& prefix);
[[nodiscard]] TensorMap joined(TensorMap a, const TensorMap& b);

enum class ScaleShape { kTensor, kRow, kBlock };
/// How a layer's codes and scale are called behind the layer's name.
struct ScaleSpelling {
  std::string codes = ".weight", scale = ".weight_scale";
  ScaleShape shape = ScaleShape::kTensor;
  DType dtype = DType::kF8E4M3;
};
/// Weights of all layers that `prefix` begins become codes with power-of-two scales.
[[nodiscard]] TensorMap scaled(const TensorMap& tensors, const std::string& prefix,
                               const ScaleSpelling& spelling);
/// The layers that scaled() changes.
[[nodiscard]] std::vector<std::string> scaled_layers(const TensorMap& tensors,
                                                     const std::string& prefix);

[[nodiscard]] TestTensor text_tensor(const std::string& text);
[[nodiscard]] Bytes safetensors_of(const TensorMap& tensors, const Metadata& metadata);

}  // namespace octet::test
