// Device memory of an engine: what the model and the expected request need, what there is, and
// what follows from the two (residency.h), told to the backend before loading.
//
// Errors: Error(kInvalidArgument) for a size or mode that cannot be, Error(kOutOfMemory) with the
// numbers when nothing fits. Thread-safety: as the backend's.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "backend/backend.h"
#include "engine/loading.h"
#include "engine/residency.h"
#include "octet/engine.h"

namespace octet {

struct EnginePlan {
  std::string text;      // ModelInfo::memory
  std::size_t room = 0;  // for activations and scratch of ops; 0: as much as is free
};

[[nodiscard]] EnginePlan plan_memory(const EngineOptions& options, Backend& backend);

/// "7.5GB" (10^9 bytes), "7GiB", "500MB", "500MiB"; Error(kInvalidArgument) for anything else.
[[nodiscard]] std::size_t parse_size(const std::string& text);

/// A model loaded for its shapes alone, and what it wants.
struct CountedModel {
  LoadAttempt attempt;
  WeightCensus census;
};
[[nodiscard]] CountedModel count_model(const EngineOptions& options, DType stream, bool native_fp8);

/// What a request needs of a device that is not there: with an allowance for context and libraries.
/// Error(kInvalidArgument) when the model refuses the request.
[[nodiscard]] MemoryDemand expected_demand(const CountedModel& counted,
                                           const GenerateRequest& request, DType stream,
                                           bool own_memory);

}  // namespace octet
