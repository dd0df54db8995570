// Runs a request under the profiling backend.
#pragma once

#include "backend/backend.h"
#include "octet/profile.h"
#include "octet/request.h"
#include "pipeline/models.h"

namespace octet {

/// Work of a request, counted on the null backend in no time.
[[nodiscard]] Profile count_work(const Models& models, const GenerateRequest& request,
                                 const UsedSettings& settings, DType stream);

/// The same with times, by running the request in `arena`, and ceilings.
[[nodiscard]] Profile measure_ops(Ctx ctx, const Models& models, const GenerateRequest& request,
                                  const UsedSettings& settings, Compute compute);

/// Rates of a large copy and of large products; FP8 only when `fp8`.
[[nodiscard]] Ceilings measure_ceilings(Backend& backend, bool fp8);

}  // namespace octet
