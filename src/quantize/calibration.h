// From what was seen while calibrating to a plan: static input scales, and the blocks that stay in
// 16 bit because FP8 would cost one of their layers too much.
//
// Pure but for the backend that computes layers. Errors: Error(kCorruptFile) for weights that are
// not finite.
#pragma once

#include <functional>
#include <vector>

#include "quantize/fp8_file.h"
#include "quantize/observing_backend.h"

namespace octet {

/// Percentile that is reported when the options ask for none.
inline constexpr double kReportedPercentile = 99.99;

/// One row for each watched layer: ranges, scale, error of the layer as FP8 on the sampled inputs.
/// `progress` is called after each layer with their number.
[[nodiscard]] std::vector<LayerReport> assess_layers(
    ObservingBackend& backend, const SourceWeights& source, const QuantizeOptions& options,
    ThreadPool& pool, const std::function<void(int done, int total)>& progress);

/// Blocks with a layer whose error is above the limit, ascending.
[[nodiscard]] std::vector<int> blocks_to_keep(const std::vector<LayerReport>& layers, double limit);

/// What to write. Layers of kept blocks lose their input scale.
[[nodiscard]] Fp8Plan plan_of(const QuantizeOptions& options,
                              const std::vector<LayerReport>& layers,
                              const std::vector<int>& kept_blocks);

}  // namespace octet
