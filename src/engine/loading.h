// Loading a model folder onto a backend: variants, precision policy, every component.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "engine/model_folder.h"
#include "octet/engine.h"
#include "pipeline/models.h"

namespace octet {

struct LoadedModel {
  Models models;
  ModelInfo info;  // all but device and load_seconds
  Compute transformer_compute = Compute::kF32;
};

/// `variant` and `compute` are EngineOptions'. Throws Error(kModelMismatch) with the list of what
/// is there when a variant is absent, Error(kInvalidArgument) for unknown names or a compute type
/// that the stored weights do not allow; LoRA files that do not fit as loras.h says.
[[nodiscard]] LoadedModel load_model(const ModelFolder& folder, Backend& backend,
                                     const std::optional<std::string>& variant,
                                     const std::string& compute,
                                     const std::vector<LoraOption>& loras = {});

/// Loading that goes on after an error, to find all that would refuse the model.
struct LoadAttempt {
  ModelInfo info;                     // of the parts that could be loaded; without digest
  std::vector<std::string> problems;  // one message for each part, or of parts that do not fit
  std::optional<LoadedModel> model;   // when there are no problems
};

[[nodiscard]] LoadAttempt try_load_model(const ModelFolder& folder, Backend& backend,
                                         const std::optional<std::string>& variant,
                                         const std::string& compute);

}  // namespace octet
