#include "diffusion/schedule.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "base/format.h"
#include "octet/error.h"

namespace octet {
namespace {

constexpr int kTrainSteps = 1000;  // sigmas of the training table: t = 1/1000 .. 1

template <typename T>
T shifted(T t, T shift, T shift_minus_one) {
  return shift * t / (T{1} + shift_minus_one * t);
}

// Entry k of 1..1000 of the shifted training table; other programs hold it in FP32.
float table_sigma(int k, double shift) {
  const float t = static_cast<float>(k) / static_cast<float>(kTrainSteps);
  return shifted(t, static_cast<float>(shift), static_cast<float>(shift - 1.0));
}

// Evenly spaced between the ends of the shifted table and then shifted once more, as the Stability
// reference, diffusers and ComfyUI's "normal" all do: the last step starts at 0.0089 for shift 3.
// FP64 throughout, from ends rounded to FP32 (diffusers), so that the FP32 results are equal.
std::vector<float> normal(int steps, double shift) {
  const double first = static_cast<double>(table_sigma(kTrainSteps, shift)) * kTrainSteps;
  const double last = static_cast<double>(table_sigma(1, shift)) * kTrainSteps;
  const double spacing = steps > 1 ? (last - first) / (steps - 1) : 0.0;
  std::vector<float> sigmas;
  for (int i = 0; i < steps; ++i) {
    const bool end = steps > 1 && i == steps - 1;
    const double timestep = end ? last : static_cast<double>(i) * spacing + first;
    sigmas.push_back(static_cast<float>(shifted(timestep / kTrainSteps, shift, shift - 1.0)));
  }
  sigmas.push_back(0.0f);
  return sigmas;
}

// Entries of the table at even distances from the top.
std::vector<float> simple(int steps, double shift) {
  const double stride = static_cast<double>(kTrainSteps) / steps;
  std::vector<float> sigmas;
  for (int i = 0; i < steps; ++i) {
    sigmas.push_back(table_sigma(kTrainSteps - static_cast<int>(i * stride), shift));
  }
  sigmas.push_back(0.0f);
  return sigmas;
}

// Like normal with one step more, whose last point is dropped: every step does an equal share.
// FP32, each half counted from its own end, as torch.linspace does.
std::vector<float> sgm_uniform(int steps, double shift) {
  const float first = table_sigma(kTrainSteps, shift) * kTrainSteps;
  const float last = table_sigma(1, shift) * kTrainSteps;
  const float spacing = (last - first) / static_cast<float>(steps);
  std::vector<float> sigmas;
  for (int i = 0; i < steps; ++i) {
    const bool lower_half = i < (steps + 1) / 2;
    const float timestep = lower_half ? first + spacing * static_cast<float>(i)
                                      : last - spacing * static_cast<float>(steps - i);
    sigmas.push_back(shifted(timestep / kTrainSteps, static_cast<float>(shift),
                             static_cast<float>(shift - 1.0)));
  }
  sigmas.push_back(0.0f);
  return sigmas;
}

constexpr ScheduleEntry kSchedules[] = {
    {"normal", normal, "even spacing, shifted twice at the low end; as diffusers (default)"},
    {"simple", simple, "every (1000/steps)th entry of the training table; as ComfyUI"},
    {"sgm_uniform", sgm_uniform, "even spacing without the near-zero last step; as ComfyUI"},
};

void check_steps(int steps) {
  if (steps < 1 || steps > kMaxScheduleSteps) {
    throw Error(Code::kInvalidArgument,
                format("steps: expected 1..%d, found %d", kMaxScheduleSteps, steps));
  }
}

int start_index(int steps, StrengthRule rule, double strength) {
  const double n = steps;
  if (rule == StrengthRule::kReference) return static_cast<int>(n * (1.0 - strength));
  return static_cast<int>(std::max(n - std::min(n * strength, n), 0.0));
}

}  // namespace

std::span<const ScheduleEntry> schedules() { return kSchedules; }

const ScheduleEntry& find_schedule(std::string_view name) {
  std::string known;
  for (const ScheduleEntry& entry : kSchedules) {
    if (name == entry.name) return entry;
    known += known.empty() ? "" : ", ";
    known += entry.name;
  }
  throw Error(Code::kInvalidArgument, format("schedule: expected one of %s, found '%s'",
                                             known.c_str(), excerpt(std::string(name)).c_str()));
}

std::vector<float> make_sigmas(const ScheduleEntry& schedule, int steps, double shift) {
  check_steps(steps);
  if (!(shift >= kMinShift && shift <= kMaxShift)) {
    throw Error(Code::kInvalidArgument,
                format("shift: expected %g..%g, found %g", kMinShift, kMaxShift, shift));
  }
  return schedule.sigmas(steps, shift);
}

std::vector<float> make_partial_sigmas(const ScheduleEntry& schedule, int steps, double shift,
                                       StrengthRule rule, double strength) {
  check_steps(steps);
  if (!(strength > 0.0 && strength <= 1.0)) {
    throw Error(Code::kInvalidArgument,
                format("strength: expected above 0 and at most 1, found %g", strength));
  }
  if (rule != StrengthRule::kComfyUi) {
    std::vector<float> sigmas = make_sigmas(schedule, steps, shift);
    const int start = start_index(steps, rule, strength);
    if (start < steps) return {sigmas.begin() + start, sigmas.end()};
    throw Error(Code::kInvalidArgument,
                format("strength: expected enough for one of %d steps, found %g", steps, strength));
  }
  // Compared as FP64: a tiny strength asks for more steps than an int holds.
  const double total = std::floor(steps / strength);
  if (total > kMaxScheduleSteps) {
    throw Error(Code::kInvalidArgument,
                format("strength: expected at most %d steps/strength, found %.0f",
                       kMaxScheduleSteps, total));
  }
  std::vector<float> sigmas = make_sigmas(schedule, static_cast<int>(total), shift);
  return {sigmas.end() - (steps + 1), sigmas.end()};
}

}  // namespace octet
