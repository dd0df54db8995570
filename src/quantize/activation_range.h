// What is learnt about the inputs of one layer while a model runs: the largest magnitude and a
// histogram from which percentiles follow.
//
// Bins are the exponent and the five leading mantissa bits of a float, so a percentile is known to
// 3 % and counting is exact: results depend on neither order nor threads. Not thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace octet {

class ActivationRange {
 public:
  ActivationRange() : bins_(kBins) {}

  /// False when a value is NaN or infinite; the others count all the same.
  bool add(std::span<const float> values);

  [[nodiscard]] float amax() const;
  /// The upper end of the bin that holds the given percentile (0..100] of the magnitudes; at most
  /// amax.
  [[nodiscard]] float percentile(double percent) const;
  [[nodiscard]] std::uint64_t count() const { return count_; }

 private:
  static constexpr int kShift = 18;
  static constexpr std::size_t kBins = std::size_t{1} << (31 - kShift);

  std::vector<std::uint64_t> bins_;
  std::uint32_t largest_ = 0;  // bits of the largest magnitude
  std::uint64_t count_ = 0;
};

}  // namespace octet
