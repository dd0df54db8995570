// Adding low-rank changes to a weight: W + B A in FP32, stored again in the weight's own dtype.
//
// F32 is exact. Shorter types are rounded to one of their two neighbours, with the probability that
// keeps the mean (from a fixed hash of name and place, so the result is the same every time):
// rounding to nearest loses a change that is small against the steps of the type. With E4M3
// and a change of 1 % of the weight, nearest keeps 40 % of the change and this keeps 100 %; the
// price is a rounding error of 2.1 % of the weight where nearest has 0.9 % and FP8 itself 2.6 %.
// FP8 weights get one scale per row: the old one times a power of two that makes room, so that
// values which do not change keep their value; block scales are replaced by fitted ones. A static
// input scale stays.
// Errors: none; sizes are the caller's business (checked as internal errors).
#pragma once

#include <span>
#include <vector>

#include "backend/weight.h"
#include "base/thread_pool.h"

namespace octet {

/// B A for some rows of a weight; alpha and weight are multiplied into `up`.
struct LowRankChange {
  std::int64_t first_row = 0;
  std::int64_t rows = 0;
  std::int64_t rank = 0;
  std::vector<float> up;    // [rows, rank]
  std::vector<float> down;  // [rank, columns]
};

/// Sums of squares over the values of changed rows.
struct RoundingError {
  double error = 0;  // of what storing rounded
  double value = 0;
  /// Root of the ratio; 0 for nothing.
  [[nodiscard]] double relative() const;
};

RoundingError merge_low_rank(HostWeight& weight, std::span<const LowRankChange> changes,
                             ThreadPool& pool);

}  // namespace octet
