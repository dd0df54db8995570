// Image to image and inpainting: a run that begins with a picture instead of with noise alone.
//
//   z     = (mean + exp(logvar / 2) e - shift) scale        the picture, encoded by the VAE
//   start = sigma_0 noise + (1 - sigma_0) z
// and with a mask, after every step to a noise level sigma:
//   x     = drawn x + kept (sigma noise + (1 - sigma) z)
//
// e and then noise are the first numbers of the seed's generator, logvar is held in [-30, 20]. This
// is what StableDiffusion3Img2ImgPipeline and StableDiffusion3InpaintPipeline of diffusers 0.36 do
// for models of 16 channels, with one difference: decoding an inpainted picture, diffusers leaves
// out the VAE's shift of latents (0.0609), which all its other SD3 pipelines add; Octet adds it.
// Compat changes which steps a strength leaves (diffusion/schedule.h) and nothing else here.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/vae.h"
#include "octet/request.h"

namespace octet {

/// A picture as the VAE's encoder sees it: a distribution for every latent.
class EncodedPicture {
 public:
  /// Resizes `picture` to width x height and encodes it. Error(kUnsupported) when the encoder's
  /// numbers are not finite.
  EncodedPicture(Ctx ctx, const Vae& vae, const InitPicture& picture, int width, int height);

  /// z for one e; both [C, H, W] of latents.
  void sample(std::span<const float> e, std::span<float> z) const;

 private:
  const VaeOptions& options_;
  std::size_t channels_;
  std::vector<float> moments_;  // [H, W, 2 C]: mean, log variance
};

/// What is known of one picture beforehand.
struct KnownLatents {
  Tensor z, noise;     // FP32 [1, C, H, W]
  Tensor kept, drawn;  // FP32 [1, H W]: 0 or 1, their sum is 1; both empty without a mask
};

/// What has to be said of a request's picture and mask: that they are resized.
[[nodiscard]] std::vector<std::string> init_remarks(const GenerateRequest& request,
                                                    const UsedSettings& settings);

/// For every latent 1 where the picture is to be drawn, else 0, [H, W]: the mask, resized to
/// width x height and cut at half, at each latent's upper left pixel.
[[nodiscard]] std::vector<float> latent_mask(const InitMask& mask, int width, int height,
                                             int spatial_factor);

/// dst = sigma noise + (1 - sigma) z
void add_noise(Ctx ctx, const Tensor& dst, const KnownLatents& known, float sigma);

/// The step's last line above, with a mask. sigma: the noise level after the step.
void restore_kept(Ctx ctx, const Tensor& latents, const KnownLatents& known, float sigma);

}  // namespace octet
