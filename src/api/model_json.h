// A served model as /v1/models describes it: OpenAI's members, and what a client needs to offer
// sensible settings: the model's own and its limits, under "octet".
//
// Thread-safety: pure functions. Errors: none.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "api/service.h"

namespace octet::api {

/// `name` is one of the service's; "octet" is null as long as the model is being loaded.
[[nodiscard]] nlohmann::ordered_json model_json(const Service& service, const std::string& name);

/// Sizes of about the model's own area, from tall to wide: aspect ratios of 9:16 to 16:9, in sides
/// that the model can draw. {width, height}, its own size among them, none twice.
[[nodiscard]] std::vector<std::pair<int, int>> usual_sizes(const serve::ModelCard& card);

}  // namespace octet::api
