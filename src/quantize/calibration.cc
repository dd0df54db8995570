#include "quantize/calibration.h"

#include <algorithm>

#include "base/check.h"
#include "quantize/fp8_weight.h"
#include "quantize/layer_roles.h"
#include "tensor/float_formats.h"

namespace octet {
namespace {

float static_scale(const LayerReport& layer, const QuantizeOptions& options) {
  const float end = options.percentile ? layer.percentile : layer.amax;
  return end > 0 ? end / kE4M3Max : 1.0f;
}

// ComfyUI's files stack q, k and v, so these share one scale there.
int parts_of(const std::string& layer, const QuantizeOptions& options) {
  if (options.layout == Fp8Layout::kComfyUi) return 1;
  return static_cast<int>(group_of(layer).size());
}

}  // namespace

std::vector<LayerReport> assess_layers(ObservingBackend& backend, const SourceWeights& source,
                                       const QuantizeOptions& options, ThreadPool& pool,
                                       const std::function<void(int done, int total)>& progress) {
  std::vector<LayerReport> reports;
  const auto total = static_cast<int>(backend.layers().size());
  for (const auto& [name, seen] : backend.layers()) {
    OCTET_CHECK(seen.inputs.count() > 0, "%s was never computed", name.c_str());
    LayerReport report{
        .name = name,
        .amax = seen.inputs.amax(),
        .percentile = seen.inputs.percentile(options.percentile.value_or(kReportedPercentile))};
    report.input_scale = static_scale(report, options);
    HostWeight weight =
        quantise_weight(source.group(name), options.weight_scale, parts_of(name, options), pool);
    weight.input_scale = report.input_scale;
    // Not through the observing backend: this weight is no layer of the model.
    const Weight prepared = backend.inner().prepare(weight, Compute::kFP8);
    report.calibration_error = output_error(backend.inner(), prepared, seen.act, seen.samples);
    reports.push_back(std::move(report));
    progress(static_cast<int>(reports.size()), total);
  }
  return reports;
}

std::vector<int> blocks_to_keep(const std::vector<LayerReport>& layers, double limit) {
  std::set<int> blocks;
  for (const LayerReport& layer : layers) {
    if (!(layer.calibration_error <= limit)) blocks.insert(block_of(layer.name));
  }
  return {blocks.begin(), blocks.end()};
}

Fp8Plan plan_of(const QuantizeOptions& options, const std::vector<LayerReport>& layers,
                const std::vector<int>& kept_blocks) {
  Fp8Plan plan{.layout = options.layout,
               .weight_scale = options.weight_scale,
               .modulation_fp8 = options.modulation_fp8};
  for (const LayerReport& layer : layers) {
    const int block = block_of(layer.name);
    if (std::find(kept_blocks.begin(), kept_blocks.end(), block) != kept_blocks.end()) continue;
    plan.input_scales.emplace(layer.name, layer.input_scale.value());
  }
  return plan;
}

}  // namespace octet
