// What a drawn picture was made from, as the record that its PNG carries.
//
// Thread-safety: pure functions. Errors: none.
#pragma once

#include "image/parameters.h"
#include "octet/engine.h"
#include "octet/request.h"

namespace octet {

/// Everything that decided a picture; a picture of a batch is one of its own seed.
struct PictureOrigin {
  const EngineOptions& engine;
  const ModelInfo& model;
  const GenerateRequest& request;
  const UsedSettings& used;
  const Picture& picture;
  std::string init_digest = {}, mask_digest = {};  // of the files that the request began with
};

[[nodiscard]] PictureParameters record_of(const PictureOrigin& origin);

/// "diffusers", "comfyui" or "reference".
[[nodiscard]] const char* compat_name(Compat compat);

}  // namespace octet
