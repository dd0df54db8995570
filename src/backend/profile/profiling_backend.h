// ProfilingBackend: another backend that notes every op on its way through.
//
// Around the null backend it counts work; around a device it also takes times, from a mark before
// each op to a mark behind it, with the values of the real run. Everything but the ops is the inner
// backend's. Must not outlive the inner backend or the log. One thread at a time.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "backend/profile/op_cost.h"

namespace octet {

struct OpCall {
  OpCost cost;
  std::string stage;   // OpLog::stage at that moment
  double seconds = 0;  // 0 when not timed
};

struct OpLog {
  std::string stage;
  std::vector<OpCall> calls;
};

class ProfilingBackend : public Backend {
 public:
  /// Takes the times of all calls from the clock and writes them into the log; once, at the end.
  virtual void finish() = 0;
};

[[nodiscard]] std::unique_ptr<ProfilingBackend> make_profiling_backend(Backend& inner, OpLog& log,
                                                                       bool timed);

}  // namespace octet
