// From a weight matrix to E4M3 codes and scales, and back.
//
// scale = amax / 448 over a row or the whole matrix (1 where all values are zero), code =
// value / scale rounded to nearest even, saturating; value = code * scale. Deterministic for any
// number of threads. Errors: Error(kCorruptFile) naming a tensor that holds NaN or infinity.
#pragma once

#include <vector>

#include "backend/weight.h"
#include "base/thread_pool.h"
#include "octet/quantize.h"

namespace octet {

/// `source` (16 or 32 bit, no scales) as E4M3 with row scales. With kTensor the rows of each of
/// `parts` equal parts (q, k, v) share one scale.
[[nodiscard]] HostWeight quantise_weight(const HostWeight& source, WeightScale scale, int parts,
                                         ThreadPool& pool);

/// The scales of its rows alone.
[[nodiscard]] std::vector<float> row_scales(const HostWeight& source, WeightScale scale, int parts,
                                            ThreadPool& pool);

/// The values that a weight stands for, [out, in] in FP32, scales applied.
[[nodiscard]] std::vector<float> values_of(const HostWeight& weight);

/// Relative L2 distance of the worst row of `candidate` from `source`; infinite when a row of
/// zeros became anything else.
[[nodiscard]] double worst_row_error(const HostWeight& source, const HostWeight& candidate);

}  // namespace octet
