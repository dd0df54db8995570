// The last stage: latents to one picture's bytes.
#pragma once

#include <functional>

#include "backend/backend.h"
#include "model/vae.h"
#include "octet/request.h"

namespace octet {

struct DecodeArgs {
  const Vae& vae;
  Tensor latents;  // FP32 [1, C, H, W]
  Compat compat = Compat::kDiffusers;
  std::uint64_t seed = 0;
  std::function<void(const Tensor&)>
      look;  // at the picture FP32 [1, H, W, 3] in [-1, 1]; may be empty
};

/// One picture at a time: the decoder's largest stage is many times the size of the picture.
/// Error(kUnsupported) when the picture is not finite.
[[nodiscard]] Picture decode_picture(Ctx ctx, const DecodeArgs& args);

}  // namespace octet
