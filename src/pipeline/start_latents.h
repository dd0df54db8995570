// What the first step of a request begins with: noise, or noise upon an init picture.
//
// Noise is drawn on the host in PyTorch's order, so a picture does not depend on the device.
// Thread-safety: plain functions. Errors: none of their own.
#pragma once

#include <vector>

#include "pipeline/init_picture.h"
#include "pipeline/models.h"

namespace octet {

struct StartLatents {
  Tensor latents;                   // FP32 [batch, C, H, W]: where the first step begins
  Tensor noise;                     // the same tensor without an init picture
  Tensor z;                         // of the init picture
  std::vector<KnownLatents> known;  // of each picture, with an init picture
};

/// Memory for it, not written.
[[nodiscard]] StartLatents make_start(Arena& arena, const Models& models,
                                      const GenerateRequest& request, const UsedSettings& settings);

/// Writes everything; `encoded` is the init picture or null.
void write_start(Ctx ctx, const StartLatents& start, const GenerateRequest& request,
                 const UsedSettings& settings, const EncodedPicture* encoded);

}  // namespace octet
