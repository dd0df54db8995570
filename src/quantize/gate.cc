#include "quantize/gate.h"

#include <algorithm>
#include <cmath>

#include "base/format.h"
#include "tensor/float_formats.h"

namespace octet {
namespace {

struct Bound {
  const char* name;
  double limit;
  bool at_least;
  [[nodiscard]] bool keeps(double value) const {
    return at_least ? value >= limit : value <= limit;  // false for NaN
  }
};

std::string failure(const Bound& bound, double found, const std::string& of) {
  return format("%s: expected at %s %g, found %.4g (%s)", bound.name,
                bound.at_least ? "least" : "most", bound.limit, found, of.c_str());
}

double mean(const std::vector<PictureReport>& pictures, double PictureReport::*figure) {
  double sum = 0;
  for (const PictureReport& p : pictures) sum += p.*figure;
  return sum / static_cast<double>(pictures.size());
}

void check_pictures(const GateLimits& limits, QuantizeReport& r) {
  if (r.pictures.empty()) return;
  r.psnr = mean(r.pictures, &PictureReport::psnr);
  r.ssim = mean(r.pictures, &PictureReport::ssim);
  r.gmsd = mean(r.pictures, &PictureReport::gmsd);
  const std::string of = format("mean of %zu pictures", r.pictures.size());
  const auto check = [&](const Bound& bound, double found) {
    if (!bound.keeps(found)) r.failures.push_back(failure(bound, found, of));
  };
  check({"PSNR", limits.psnr, true}, r.psnr);
  check({"SSIM", limits.ssim, true}, r.ssim);
  check({"GMSD", limits.gmsd, false}, r.gmsd);
}

// The worst layer stands for all that break a bound.
template <typename Figure>
void check_layers(const Bound& bound, Figure figure, QuantizeReport& r) {
  const LayerReport* worst = nullptr;
  std::size_t broken = 0;
  for (const LayerReport& layer : r.layers) {
    if (bound.keeps(figure(layer))) continue;
    ++broken;
    const bool worse =
        worst == nullptr || std::isnan(figure(layer)) ||
        (bound.at_least ? figure(layer) < figure(*worst) : figure(layer) > figure(*worst));
    if (worse) worst = &layer;
  }
  if (worst == nullptr) return;
  const std::string others = broken > 1 ? format(" and %zu more", broken - 1) : "";
  r.failures.push_back(failure(bound, figure(*worst), worst->name + others));
}

// A file has static input scales or it has none; one that lost some is damaged.
void check_scales(QuantizeReport& r) {
  std::size_t fp8 = 0;
  const LayerReport* without = nullptr;
  std::size_t scaled = 0;
  for (const LayerReport& layer : r.layers) {
    if (!layer.quantised || layer.inputs == 0) continue;
    ++fp8;
    if (layer.input_scale) {
      ++scaled;
    } else {
      without = &layer;
    }
  }
  if (without == nullptr || scaled == 0) return;
  r.failures.push_back(
      format("input scales: expected for all or none of %zu FP8 layers, found %zu "
             "(none for %s)",
             fp8, scaled, without->name.c_str()));
}

}  // namespace

double range_ratio(const LayerReport& layer) {
  if (!layer.input_scale || layer.held_out_amax <= 0) return 1;
  return static_cast<double>(*layer.input_scale) * static_cast<double>(kE4M3Max) /
         static_cast<double>(layer.held_out_amax);
}

double saturated_share(const LayerReport& layer) {
  return layer.inputs == 0
             ? 0
             : static_cast<double>(layer.saturated) / static_cast<double>(layer.inputs);
}

void apply_limits(const GateLimits& limits, QuantizeReport& r) {
  check_pictures(limits, r);
  check_scales(r);
  check_layers(
      {"weight error", limits.weight_error, false},
      [](const LayerReport& l) { return l.weight_error; }, r);
  check_layers(
      {"layer error", limits.layer_error, false},
      [](const LayerReport& l) { return l.output_error; }, r);
  check_layers({"saturated share", limits.saturated, false}, saturated_share, r);
  check_layers({"input range / largest input", limits.range_low, true}, range_ratio, r);
  check_layers({"input range / largest input", limits.range_high, false}, range_ratio, r);
}

}  // namespace octet
