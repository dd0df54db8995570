#include "pipeline/settings.h"

#include <sys/random.h>

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "diffusion/guidance.h"
#include "diffusion/sampler.h"
#include "diffusion/schedule.h"

namespace octet {
namespace {

constexpr int kMaxSteps = 1000;
constexpr int kMaxBatch = 64;
constexpr float kMaxGuidance = 100.0f;
constexpr int kMaxT5Length = 512;  // diffusers' limit
constexpr int kMaxInitSide = 16384;
constexpr double kDefaultStrength = 0.6;  // diffusers

[[noreturn]] void refuse(const char* field, const std::string& expected, const std::string& found) {
  throw Error(Code::kInvalidArgument,
              std::string(field) + ": expected " + expected + ", found " + found);
}

int whole(const char* field, int value, int low, int high) {
  if (value < low || value > high) {
    refuse(field, format("%d..%d", low, high), std::to_string(value));
  }
  return value;
}

float real(const char* field, float value, float low, float high) {
  if (!std::isfinite(value) || value < low || value > high) {
    refuse(field, format("%g..%g", static_cast<double>(low), static_cast<double>(high)),
           format("%g", static_cast<double>(value)));
  }
  return value;
}

int patch_side(const Models& models) {
  return static_cast<int>(models.mmdit.config().patch * models.vae.spatial_factor());
}

// Picture sides are whole patches; the position table sets the limit.
int side(const char* field, int value, const Models& models) {
  const auto [patch, limit] = side_range(models);
  if (value < patch || value > limit || value % patch != 0) {
    refuse(field, format("a multiple of %d from %d to %d", patch, patch, limit),
           std::to_string(value));
  }
  return value;
}

// The side of an init picture, in whole patches.
int init_side(const char* field, int value, const Models& models) {
  const int patch = patch_side(models);
  const int limit = patch * static_cast<int>(models.mmdit.config().position_side);
  const int rounded = std::max((value + patch / 2) / patch, 1) * patch;
  if (rounded > limit) {
    refuse("init", format("a %s of at most %d, or a request with width and height", field, limit),
           std::to_string(value));
  }
  return rounded;
}

void check_pixels(const char* field, int width, int height, std::size_t bytes, int channels) {
  if (width > 0 && height > 0 && width <= kMaxInitSide && height <= kMaxInitSide &&
      bytes == static_cast<std::size_t>(width) * static_cast<std::size_t>(height) *
                   static_cast<std::size_t>(channels)) {
    return;
  }
  refuse(field, format("sides of 1..%d and %d bytes a pixel", kMaxInitSide, channels),
         format("%dx%d and %zu bytes", width, height, bytes));
}

void check_init(const GenerateRequest& r) {
  if (r.init) check_pixels("init", r.init->width, r.init->height, r.init->rgb.size(), 3);
  if (r.mask) check_pixels("mask", r.mask->width, r.mask->height, r.mask->values.size(), 1);
  if (!r.init && r.mask) refuse("mask", "an init picture as well", "none");
  if (!r.init && r.strength) refuse("strength", "an init picture as well", "none");
  if (r.strength && !(*r.strength > 0.0 && *r.strength <= 1.0)) {
    refuse("strength", "above 0 and at most 1", format("%g", *r.strength));
  }
}

// A side that is not asked for is that of the init picture, else the model's.
void resolve_size(const GenerateRequest& r, const Models& m, UsedSettings& s) {
  const auto resolve = [&](const char* field, std::optional<int> asked, int init, int normal) {
    if (asked || !r.init) return side(field, asked.value_or(normal), m);
    return init_side(field, init, m);
  };
  s.width = resolve("width", r.width, r.init ? r.init->width : 0, m.defaults.width);
  s.height = resolve("height", r.height, r.init ? r.init->height : 0, m.defaults.height);
}

void resolve_steps(const GenerateRequest& r, UsedSettings& s) {
  if (r.init) s.strength = r.strength.value_or(kDefaultStrength);
  s.run_steps = static_cast<int>(run_sigmas(s, r.compat).size()) - 1;
  s.skipped_steps = s.steps - s.run_steps;
  if (r.init && r.compat == Compat::kComfyUi) {
    s.skipped_steps = static_cast<int>(s.steps / s.strength) - s.steps;
  }
}

std::uint64_t fresh_seed() {
  std::uint32_t seed = 0;  // 32 bits: all that the noise generator uses
  if (::getrandom(&seed, sizeof(seed), 0) != sizeof(seed)) {
    throw Error(Code::kDevice, "seed: the kernel gave no random numbers; set a seed");
  }
  return seed;
}

int t5_length(const GenerateRequest& r, const Models& m) {
  const int asked = r.t5_length ? whole("t5 length", *r.t5_length, 1, kMaxT5Length) : 0;
  if (!m.text.t5 && r.compat == Compat::kComfyUi) return 0;  // nothing stands in for its rows
  if (r.t5_length) return asked;
  constexpr int kMinimumElsewhere = 77;
  return r.compat == Compat::kDiffusers ? m.defaults.t5_length : kMinimumElsewhere;
}

void check_noise(const FloatArray& noise, const UsedSettings& s, int batch, const Models& m) {
  const std::int64_t factor = m.vae.spatial_factor();
  const std::vector<std::int64_t> dims = {batch, m.mmdit.config().in_channels, s.height / factor,
                                          s.width / factor};
  std::size_t values = 1;
  for (const std::int64_t d : dims) values *= static_cast<std::size_t>(d);
  if (noise.dims == dims && noise.values.size() == values) {
    for (const float v : noise.values) {
      if (!std::isfinite(v)) refuse("noise", "finite values", "NaN or infinity");
    }
    return;
  }
  const auto text = [](const std::vector<std::int64_t>& d) {
    std::string t;
    for (const std::int64_t n : d) t += (t.empty() ? "[" : ", ") + std::to_string(n);
    return t + "]";
  };
  refuse("noise", "shape " + text(dims), text(noise.dims));
}

StrengthRule rule_of(Compat compat) {
  if (compat == Compat::kComfyUi) return StrengthRule::kComfyUi;
  return compat == Compat::kReference ? StrengthRule::kReference : StrengthRule::kDiffusers;
}

}  // namespace

std::vector<float> run_sigmas(const UsedSettings& s, Compat compat) {
  const ScheduleEntry& schedule = find_schedule(s.schedule);
  const auto shift = static_cast<double>(s.shift);
  if (s.strength == 0) return make_sigmas(schedule, s.steps, shift);
  return make_partial_sigmas(schedule, s.steps, shift, rule_of(compat), s.strength);
}

SideRange side_range(const Models& models) {
  const int patch = patch_side(models);
  return {.multiple = patch,
          .longest = patch * static_cast<int>(models.mmdit.config().position_side)};
}

UsedSettings resolve_settings(const GenerateRequest& r, const Models& m) {
  const ModelDefaults& d = m.defaults;
  UsedSettings s;
  s.steps = whole("steps", r.steps.value_or(d.steps), 1, kMaxSteps);
  s.guidance = real("guidance", r.guidance.value_or(d.guidance), 0.0f, kMaxGuidance);
  s.shift = real("shift", r.shift.value_or(d.shift), static_cast<float>(kMinShift),
                 static_cast<float>(kMaxShift));
  check_init(r);
  resolve_size(r, m, s);
  s.sampler = find_sampler(r.sampler.value_or(d.sampler)).name;
  s.schedule = find_schedule(r.schedule.value_or(d.schedule)).name;
  resolve_steps(r, s);
  const GuidanceOptions slg;
  s.skip_scale = real("skip scale", r.skip_scale.value_or(static_cast<float>(slg.skip_scale)), 0.0f,
                      kMaxGuidance);
  s.skip_start =
      real("skip start", r.skip_start.value_or(static_cast<float>(slg.skip_start)), 0.0f, 1.0f);
  s.skip_end = real("skip end", r.skip_end.value_or(static_cast<float>(slg.skip_end)), 0.0f, 1.0f);
  s.t5_length = t5_length(r, m);
  whole("batch", r.batch, 1, kMaxBatch);
  s.seed = r.seed ? *r.seed : fresh_seed();
  if (r.noise) check_noise(*r.noise, s, r.batch, m);
  return s;
}

}  // namespace octet
