// The planner's peak for the request that is expected, from the model's headers.
#pragma once

#include <cstdint>
#include <string>

#include "octet/inspect.h"

namespace octet::doctor {

/// The estimate of `device` ("cpu", "cuda"); null: the plan cannot be told.
[[nodiscard]] const MemoryEstimate* planned(const ModelInspection& inspection,
                                            const std::string& device);

}  // namespace octet::doctor
