// Stops a run whose numbers are no longer finite, naming the stage and the block.
//
// What a stage leaves is looked at once, so finite runs pay for nothing else. When it is not finite
// the stage runs a second time, which gives the same numbers, with a look behind every block.
// Errors: Error(kUnsupported), exit code 3: the model cannot be used so.
#pragma once

#include <functional>
#include <initializer_list>
#include <string>

#include "backend/backend.h"

namespace octet {

/// `results`: FP32. `again` runs the stage in the context it is given; it may change `stage`, which
/// is read when a message is made ("denoising, step 3").
void require_finite(Ctx ctx, std::initializer_list<Tensor> results, const std::string& stage,
                    const std::function<void(Ctx)>& again);

}  // namespace octet
