// From a request to settings: defaults filled in, every field checked.
//
// Errors: Error(kInvalidArgument), message "<field>: expected <what>, found <value>".
#pragma once

#include "octet/request.h"
#include "pipeline/models.h"

namespace octet {

/// Sides that pictures of a model may have: multiples of `multiple` up to `longest`.
struct SideRange {
  int multiple = 0, longest = 0;
};
[[nodiscard]] SideRange side_range(const Models& models);

[[nodiscard]] UsedSettings resolve_settings(const GenerateRequest& request, const Models& models);

/// The noise levels that a run passes through: settings.run_steps + 1.
[[nodiscard]] std::vector<float> run_sigmas(const UsedSettings& settings, Compat compat);

}  // namespace octet
