#include "diffusion/guidance.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/format.h"
#include "octet/error.h"

namespace octet {
namespace {

// Beyond any use, yet far from FP32 overflow.
constexpr double kMaxScale = 1000.0;

void check_range(const char* name, double value, double low, double high) {
  if (value >= low && value <= high) return;  // false for NaN
  throw Error(Code::kInvalidArgument,
              format("%s: expected %g..%g, found %g", name, low, high, value));
}

// A fraction that came through FP32 counts as the decimal that was typed: with 0.2f as it is, step
// 8 of 40 would be inside a window that ends at 0.2.
double as_typed(double fraction) { return std::round(fraction * 1e6) / 1e6; }

}  // namespace

Guidance::Guidance(GuidanceOptions options, int blocks, int steps)
    : options_(std::move(options)), steps_(steps) {
  check_range("guidance", options_.scale, 0.0, kMaxScale);
  check_range("skip-scale", options_.skip_scale, 0.0, kMaxScale);
  check_range("skip-start", options_.skip_start, 0.0, 1.0);
  check_range("skip-end", options_.skip_end, 0.0, 1.0);
  options_.skip_start = as_typed(options_.skip_start);
  options_.skip_end = as_typed(options_.skip_end);
  std::vector<int>& layers = options_.skip_layers;
  std::sort(layers.begin(), layers.end());
  layers.erase(std::unique(layers.begin(), layers.end()), layers.end());
  if (layers.empty() || (layers.front() >= 0 && layers.back() < blocks)) return;
  throw Error(Code::kInvalidArgument,
              format("skip-layers: expected blocks 0..%d, found %d", blocks - 1,
                     layers.front() < 0 ? layers.front() : layers.back()));
}

bool Guidance::uses_skipped(int step) const {
  step += options_.first_step;
  return uses_uncond() && !options_.skip_layers.empty() && options_.skip_scale > 0.0 &&
         step > steps_ * options_.skip_start && step < steps_ * options_.skip_end;
}

bool Guidance::uses_skipped() const {
  for (int step = 0; step < steps_ - options_.first_step; ++step) {
    if (uses_skipped(step)) return true;
  }
  return false;
}

GuidanceCoefficients Guidance::coefficients(int step) const {
  if (!uses_uncond()) return {};
  const double g = options_.scale;
  const double k = uses_skipped(step) ? options_.skip_scale : 0.0;
  return {static_cast<float>(1.0 - g), static_cast<float>(g + k), static_cast<float>(-k)};
}

}  // namespace octet
