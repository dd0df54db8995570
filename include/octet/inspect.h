// What a model is, from the headers of its files alone: nothing is loaded.
//
// A part that cannot be used does not end the inspection: it becomes a problem, and the others are
// looked at too. Errors: only where there is no model to look at (Error(kIo), Error(kModelMismatch)
// for a folder that is none). Thread-safety: pure function besides the file system.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "octet/engine.h"

namespace octet {

/// Expected memory for one square picture, by running the pipeline on the planner's backend.
struct MemoryEstimate {
  int side = 0;        // pixels
  std::string device;  // whose number formats: "cpu" or "cuda"
  std::uint64_t activations = 0;
  std::uint64_t none = 0;  // all weights and activations together
  std::uint64_t text = 0;  // the larger of text encoders and the rest, and activations
  std::uint64_t all = 0;   // the largest part, and activations
  std::string problem;     // why this size is refused; empty: it is not
};

struct ModelInspection {
  ModelInfo model;           // what could be described; no digest, no device
  std::string layout;        // "diffusers folder", "single file and 3 files of parts"
  std::string architecture;  // of the transformer; empty when it cannot be told
  std::string told_by;       // from what the architecture was told
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;             // of all files
  std::vector<std::string> problems;   // all that would refuse the model, one line each
  std::vector<std::string> notes;      // what is decided only when values are read
  std::vector<MemoryEstimate> memory;  // empty with problems
};

[[nodiscard]] ModelInspection inspect_model(const EngineOptions& options);

}  // namespace octet
