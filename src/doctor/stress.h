// The check before going live: the same request again and again, and what is watched meanwhile.
//
//   run_stress({.seconds = 180, .planned = bytes}, draw, row)  // findings with the id "stress"
//
// Step times are judged against the run's own baseline, the median of the first three rounds after
// one that warms up; memory against what the plan allows. What is not told (the GPU's health
// without NVML) is named, never taken as well. Thread-safety: reentrant. Errors: what `draw` throws
// is a finding and ends the run, except Error(kCancelled), which passes.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "doctor/doctor.h"
#include "doctor/nvml.h"

namespace octet::doctor {

struct StressRound {
  double at = 0;                    // seconds since the run began; set by run_stress
  double step_seconds = 0;          // mean of the request's steps
  std::uint64_t memory = 0;         // peak so far in bytes; 0: not told
  std::optional<GpuReading> gpu{};  // after the round; empty: not told
  std::optional<unsigned> sm_mhz{}, memory_mhz{};
  std::optional<double> watts{};
};

/// What the rounds' memory is compared with.
struct MemoryBound {
  std::string what;           // is measured, in words
  std::uint64_t planned = 0;  // peak in bytes; 0: not compared
  std::uint64_t most = 0;     // bytes that the plan allows, by `rule`
  std::string rule;           // in words; without a plan: why there is none
};

struct StressPlan {
  double seconds = 60;  // a round that has begun is finished
  MemoryBound memory = {};
  std::function<double()> now = {};  // seconds of a steady clock; empty: the system's
};

inline constexpr double kMostDrift = 0.15;

/// Nothing is ok without having been watched: at least one finding per thing.
[[nodiscard]] std::vector<Finding> run_stress(const StressPlan& plan,
                                              const std::function<StressRound()>& draw,
                                              const std::function<void(const StressRound&)>& row);

}  // namespace octet::doctor
