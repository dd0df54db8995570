// Residency: which weights stay in device memory and which wait in host memory until they are
// needed, decided before the first weight is read.
//
// The planner knows every weight's size from the model's headers, the activations from a run on the
// null backend, and what the device has. It never streams more than it must: `auto` takes the first
// of none, text (text encoders wait), all (modulation, too, and as many weights of the
// transformer's blocks as the rest does not leave room for, spread evenly over the blocks) that
// fits.
//
// Sizes in bytes. Thread-safety: pure functions. Errors: Error(kOutOfMemory) with the numbers when
// nothing fits, or not what was asked for.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "octet/engine.h"

namespace octet {

/// What a model wants from a device, from its headers.
struct WeightCensus {
  enum class Group : std::uint8_t { kText, kModulation, kBlock, kOther };
  struct Item {
    std::string name;  // "component/tensor"
    std::size_t bytes = 0;
    Group group = Group::kOther;
  };
  std::vector<Item> weights;    // in order of loading
  std::size_t parameters = 0;   // norms and tables, other than:
  std::size_t text_tables = 0;  // embedding tables of text encoders
};

struct MemoryDemand {
  WeightCensus census;
  std::size_t activations = 0;  // of the expected request
  std::size_t overhead = 0;     // context and libraries, already taken
  std::size_t free = 0;         // on the device now; 0: unknown
  std::size_t limit = 0;        // for everything; 0: none
  std::size_t host_free = 0;    // of host memory; 0: unknown
  std::size_t scratch = 0;      // of single ops, and growth of libraries
  bool own_memory = true;       // the device has some, so that weights can leave it
};

struct MemoryPlan {
  Offload offload = Offload::kNone;
  WeightPlaces places;
  std::size_t streamed = 0;  // weights and tables that wait in host memory
  std::size_t streamed_per_step = 0;
  std::size_t ring = 0;     // device memory that they pass through
  std::size_t scratch = 0;  // temporary results of single ops, growth of libraries
  std::size_t total = 0;    // expected peak, overhead included
  std::string text;         // what was chosen and why, one line
};

/// asked: empty for auto.
[[nodiscard]] MemoryPlan plan_residency(const MemoryDemand& demand, std::optional<Offload> asked);

/// Expected peak when only what `offload` names waits, whatever there is.
[[nodiscard]] std::size_t expected_total(const MemoryDemand& demand, Offload offload);

/// The same when everything waits that can: no limit below it will do.
[[nodiscard]] std::size_t least_total(const MemoryDemand& demand);

/// The group of "component/tensor".
[[nodiscard]] WeightCensus::Group weight_group(const std::string& name);

}  // namespace octet
