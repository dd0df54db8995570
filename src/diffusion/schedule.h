// Noise schedules of rectified-flow models: which noise levels (sigmas) a run passes through.
//
// A schedule is a function (steps, shift) -> steps + 1 sigmas, from 1 (pure noise) down to exactly
// 0. x_sigma = sigma * noise + (1 - sigma) * data; the network is given 1000 * sigma. The shift s
// moves steps towards high noise: sigma = s t / (1 + (s - 1) t), t in (0, 1] (SD3,
// arXiv 2403.03206). To add a schedule: one function and one row in schedule.cc; the row feeds
// the command line's help and the tests.
//
// Thread-safety: pure functions. Errors: Error(kInvalidArgument) naming steps, shift, schedule or
// strength.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace octet {

inline constexpr int kMaxScheduleSteps = 10000;
inline constexpr double kMinShift = 0.1;
inline constexpr double kMaxShift = 100.0;

struct ScheduleEntry {
  const char* name;
  std::vector<float> (*sigmas)(int steps, double shift);
  const char* help;
};

/// All schedules, the default first.
[[nodiscard]] std::span<const ScheduleEntry> schedules();
/// The schedule of that name; the error lists the known ones.
[[nodiscard]] const ScheduleEntry& find_schedule(std::string_view name);

/// steps + 1 strictly usable sigmas (never rising) of the given schedule, arguments checked.
[[nodiscard]] std::vector<float> make_sigmas(const ScheduleEntry& schedule, int steps,
                                             double shift);

/// How programs turn an image-to-image strength into steps.
enum class StrengthRule {
  kDiffusers,  // skips the first steps: int(steps - min(steps * strength, steps))
  kReference,  // skips the first int(steps * (1 - strength))
  kComfyUi,    // builds int(steps / strength) steps and runs the last `steps`
};

/// The tail of a schedule that an image-to-image run of this strength, in (0, 1], passes through.
/// The start latent is sigmas[0] * noise + (1 - sigmas[0]) * latent.
[[nodiscard]] std::vector<float> make_partial_sigmas(const ScheduleEntry& schedule, int steps,
                                                     double shift, StrengthRule rule,
                                                     double strength);

}  // namespace octet
