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

/// Expected peak of device memory for one square picture, or for a request (side 0), by the planner
/// that --max-memory follows; on a GPU with an allowance for context and libraries, of which only
/// the GPU itself knows.
struct MemoryEstimate {
  int side = 0;        // pixels
  std::string device;  // whose number formats: "cpu" or "cuda"
  std::uint64_t activations = 0;
  std::uint64_t none = 0;   // all weights on the device
  std::uint64_t text = 0;   // text encoders wait in host memory; 0 like the next two: not there
  std::uint64_t all = 0;    // modulation too
  std::uint64_t least = 0;  // and all of the transformer's blocks: the least --max-memory
  std::string problem;      // why this size is refused; empty: it is not
};

struct ModelInspection {
  ModelInfo model;           // what could be described; no digest, no device
  std::string layout;        // "diffusers folder", "single file and 3 files of parts"
  std::string architecture;  // of the transformer; empty when it cannot be told
  std::string told_by;       // from what the architecture was told
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;              // of all files
  std::vector<std::string> problems;    // all that would refuse the model, one line each
  std::vector<std::string> notes;       // of its files, and what is decided when values are read
  std::vector<MemoryEstimate> memory;   // empty with problems
  std::vector<MemoryEstimate> request;  // likewise, of EngineOptions::memory's request
};

[[nodiscard]] ModelInspection inspect_model(const EngineOptions& options);

}  // namespace octet
