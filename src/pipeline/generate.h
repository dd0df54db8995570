// Text to pictures in one place: tokenise, encode, sample, decode.
//
// The same function runs on the null backend to plan memory: there it computes nothing and calls
// no hooks. Errors: Error(kInvalidArgument) for fields, kCancelled when a hook says stop,
// kInternal naming the stage when values are not finite.
#pragma once

#include "backend/device_scratch.h"
#include "octet/request.h"
#include "pipeline/models.h"

namespace octet {

/// Pictures, stage times, warnings. `settings` come from resolve_settings.
[[nodiscard]] GenerateResult run_pipeline(Ctx ctx, const Models& models,
                                          const GenerateRequest& request,
                                          const UsedSettings& settings, const GenerateHooks& hooks);

/// Bytes of activations that this request needs on a backend with the given stream dtype; what a
/// device's ops keep besides goes to `scratch`, if that is given.
[[nodiscard]] std::size_t plan_activations(const Models& models, const GenerateRequest& request,
                                           const UsedSettings& settings, DType stream,
                                           DeviceScratch* scratch = nullptr);

}  // namespace octet
