#include "quantize/activation_range.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace octet {
namespace {

constexpr std::uint32_t kMagnitude = 0x7FFFFFFF;
constexpr std::uint32_t kInfinity = 0x7F800000;

}  // namespace

// Magnitudes of floats are ordered as their bits are.
bool ActivationRange::add(std::span<const float> values) {
  std::uint32_t largest = largest_;
  bool finite = true;
  for (const float v : values) {
    const std::uint32_t bits = std::bit_cast<std::uint32_t>(v) & kMagnitude;
    if (bits >= kInfinity) {
      finite = false;
      continue;
    }
    largest = std::max(largest, bits);
    ++bins_[bits >> kShift];
    ++count_;
  }
  largest_ = largest;
  return finite;
}

float ActivationRange::amax() const { return std::bit_cast<float>(largest_); }

float ActivationRange::percentile(double percent) const {
  if (count_ == 0) return 0;
  const double wanted = std::ceil(static_cast<double>(count_) * percent / 100.0);
  std::uint64_t seen = 0;
  for (std::size_t bin = 0; bin < bins_.size(); ++bin) {
    seen += bins_[bin];
    if (static_cast<double>(seen) < wanted) continue;
    const std::uint32_t upper = (static_cast<std::uint32_t>(bin) + 1) << kShift;
    return std::bit_cast<float>(std::min(upper, largest_));
  }
  return amax();
}

}  // namespace octet
