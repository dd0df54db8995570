// octet doctor --stress: the engine under the load that doctor/stress.h watches.
//
// Loads the model, draws the subject's planned request until the time is over, and prints a row on
// standard error at least every half minute and about ten times in all. Errors: those of loading
// are findings; Error(kCancelled) on a signal. Thread-safety: used by one thread.
#pragma once

#include <vector>

#include "doctor/doctor.h"
#include "doctor/stress.h"

namespace octet::cli {

struct StressReport {
  std::vector<doctor::Finding> findings;
  std::vector<doctor::StressRound> rows;  // those that were printed
};

[[nodiscard]] StressReport stress(const doctor::Subject& subject, double minutes);

}  // namespace octet::cli
