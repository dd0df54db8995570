// The VAE of SD3: latents [B, C, H, W] to pictures [B, 8H, 8W, 3] and back.
//
// Residual blocks of GroupNorm, SiLU and 3x3 convolutions in NHWC, one single-head attention in
// the middle. No quant convolutions: a file that has them is another VAE and is refused as having
// unknown tensors. (arXiv 2112.10752; 16 channels as in arXiv 2403.03206)
#pragma once

#include <optional>
#include <vector>

#include "model/layers.h"

namespace octet {

/// What tensor shapes cannot tell; defaults of the family.
struct VaeOptions {
  std::int64_t norm_groups = 32;
  float scaling_factor = 1.5305f;
  float shift_factor = 0.0609f;
};

struct VaeResnet {
  NormWeights norm1, norm2;
  Weight conv1, conv2;
  std::optional<Weight> shortcut;
};

struct VaeAttention {
  NormWeights norm;
  Weight qkv, out;
};

/// One resolution level: residual blocks, then a change of size.
struct VaeLevel {
  std::vector<VaeResnet> resnets;
  std::optional<Weight> resample;
};

/// Half of the VAE: conv_in, levels and middle in the order of the direction, norm, conv_out.
struct VaeCoder {
  Weight conv_in, conv_out;
  NormWeights norm_out;
  VaeResnet mid1, mid2;
  std::optional<VaeAttention> mid_attention;
  std::vector<VaeLevel> levels;
};

class Vae {
 public:
  Vae(const Loader& loader, const VaeOptions& options);

  [[nodiscard]] const VaeOptions& options() const { return options_; }
  [[nodiscard]] std::int64_t latent_channels() const { return decoder_.conv_in.in; }
  /// Pixels per latent along a side; 8 in the family.
  [[nodiscard]] std::int64_t spatial_factor() const;

  /// dst FP32 [B, f H, f W, 3] in about [-1, 1]; latents FP32 [B, C, H, W] as the sampler leaves
  /// them: z / scaling_factor + shift_factor is applied here.
  void decode(Ctx ctx, const Tensor& dst, const Tensor& latents) const;
  /// moments FP32 [B, H, W, 2 C]: mean, then log variance (not clamped, not scaled);
  /// picture FP32 [B, f H, f W, 3] in [-1, 1].
  void encode(Ctx ctx, const Tensor& moments, const Tensor& picture) const;

 private:
  VaeOptions options_;
  DType stream_dtype_;
  VaeCoder encoder_, decoder_;
};

}  // namespace octet
