// The quality gate: which limits a candidate breaks. Pure functions.
#pragma once

#include "octet/quantize.h"

namespace octet {

/// Fills in the means over the pictures and one line for each limit that is broken, worst layer
/// first where a limit is one of layers. A figure that is not a number breaks its limit.
void apply_limits(const GateLimits& limits, QuantizeReport& report);

/// End of a layer's FP8 range divided by the largest held-out input; 1 without a static scale.
[[nodiscard]] double range_ratio(const LayerReport& layer);
[[nodiscard]] double saturated_share(const LayerReport& layer);

}  // namespace octet
