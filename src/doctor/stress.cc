#include "doctor/stress.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>

#include "base/format.h"
#include "octet/error.h"

namespace octet::doctor {
namespace {

constexpr std::size_t kBaseline = 3;
constexpr unsigned long long kHardwareThrottle = 0x8 | 0x20 | 0x40 | 0x80;  // slowdown, heat, brake

Finding finding(Level level, std::string says, std::string remedy = "") {
  return {.id = "stress",
          .level = level,
          .says = std::move(says),
          .remedy = std::move(remedy),
          .code = Code::kDevice};
}

double steady_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

Finding judge_time(const std::vector<StressRound>& rounds) {
  // The first round warms up and is not counted.
  if (rounds.size() < 1 + 2 * kBaseline) {
    return finding(Level::kWarning,
                   format("%zu rounds are too few to see drift of step times", rounds.size()),
                   "longer: --minutes 5");
  }
  std::vector<double> first, last;
  for (std::size_t i = 0; i < kBaseline; ++i) {
    first.push_back(rounds[1 + i].step_seconds);
    last.push_back(rounds[rounds.size() - 1 - i].step_seconds);
  }
  if (median(first) <= 0) return finding(Level::kOk, "step times are not watched: not told here");
  const double drift = median(last) / median(first) - 1;
  const std::string says = format("step time %.4f s at first, %.4f s at last (%+.1f %%)",
                                  median(first), median(last), 100 * drift);
  if (drift <= kMostDrift) return finding(Level::kOk, says);
  return finding(Level::kWarning, says + ", expected 15 % more at most",
                 "look for heat, power and other programs: nvidia-smi -q -d PERFORMANCE, top");
}

double gigabytes(std::uint64_t bytes) { return static_cast<double>(bytes) / 1e9; }

Finding judge_memory(const MemoryBound& bound, const std::vector<StressRound>& rounds) {
  std::uint64_t peak = 0;
  for (const StressRound& r : rounds) peak = std::max(peak, r.memory);
  if (peak == 0) return finding(Level::kOk, "memory is not watched: not told here");
  std::string says = format("memory: peak %.3f GB, %s; ", gigabytes(peak), bound.what.c_str());
  if (bound.planned == 0) return finding(Level::kOk, says + "not compared: " + bound.rule);
  says += format("planned %.3f GB, at most %.3f GB is well: %s", gigabytes(bound.planned),
                 gigabytes(bound.most), bound.rule.c_str());
  if (peak <= bound.most) return finding(Level::kOk, says);
  return finding(Level::kWarning, says, "leave more room: a smaller request, --max-memory");
}

/// What was read of a GPU in all rounds together.
struct Health {
  std::size_t readings = 0;
  unsigned hottest = 0;
  unsigned long long throttle = 0;
  std::optional<unsigned long long> errors_before, errors;
};

Health health_in(const std::vector<StressRound>& rounds) {
  Health h;
  for (const StressRound& r : rounds) {
    if (!r.gpu) continue;
    ++h.readings;
    h.hottest = std::max(h.hottest, r.gpu->celsius.value_or(0));
    h.throttle |= r.gpu->throttle;
    if (!h.errors_before) h.errors_before = r.gpu->uncorrected;
    h.errors = std::max(h.errors, r.gpu->uncorrected);
  }
  return h;
}

Finding judge_errors(const Health& h) {
  if (!h.errors) return finding(Level::kOk, "errors of memory are not watched: no ECC");
  if (*h.errors == *h.errors_before) return finding(Level::kOk, "no new errors of memory (ECC)");
  return finding(Level::kFailure,
                 format("uncorrected errors of memory (ECC) rose from %llu to %llu",
                        *h.errors_before, *h.errors),
                 "take this GPU out of use: sudo nvidia-smi -r, else replace it");
}

Finding judge_heat(const Health& h) {
  const std::string says = format("at most %u degrees", h.hottest);
  if ((h.throttle & kHardwareThrottle) == 0) {
    return finding(Level::kOk, says + ", not throttled by heat or hardware");
  }
  return finding(Level::kWarning, says + ", throttled by heat or hardware",
                 "nvidia-smi -q -d PERFORMANCE,TEMPERATURE says why");
}

std::vector<Finding> judge_gpu(const std::vector<StressRound>& rounds) {
  const Health h = health_in(rounds);
  if (h.readings == 0) {
    return {finding(Level::kOk,
                    "errors of memory, heat and throttling are not watched: no GPU "
                    "in use, or its driver does not tell")};
  }
  std::vector<Finding> found = {judge_errors(h), judge_heat(h)};
  if (h.readings < rounds.size()) {
    found.push_back(finding(Level::kWarning,
                            format("the GPU could not be read after %zu of %zu rounds",
                                   rounds.size() - h.readings, rounds.size()),
                            "dmesg and nvidia-smi -q say whether it is still there"));
  }
  return found;
}

}  // namespace

std::vector<Finding> run_stress(const StressPlan& plan, const std::function<StressRound()>& draw,
                                const std::function<void(const StressRound&)>& row) {
  const auto now = plan.now ? plan.now : steady_now;
  const double start = now();
  std::vector<StressRound> rounds;
  std::vector<Finding> found;
  try {
    do {
      StressRound round = draw();
      round.at = now() - start;
      rounds.push_back(round);
      row(round);
    } while (rounds.back().at < plan.seconds);
    found.push_back(finding(Level::kOk, format("%zu rounds, all numbers finite", rounds.size())));
  } catch (const Error& error) {
    if (error.code() == Code::kCancelled) throw;
    found.push_back(finding(Level::kFailure,
                            format("round %zu failed: %s", rounds.size() + 1, error.what()),
                            "octet doctor --device and --model as here name what is wrong"));
  }
  found.push_back(judge_time(rounds));
  found.push_back(judge_memory(plan.memory, rounds));
  for (Finding& f : judge_gpu(rounds)) found.push_back(std::move(f));
  return found;
}

}  // namespace octet::doctor
