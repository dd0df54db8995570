#include "quantize/report_json.h"

#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/format.h"
#include "quantize/gate.h"

namespace octet {
namespace {

using Json = nlohmann::ordered_json;

/// Four significant digits: what the figures are worth. JSON has no infinity.
Json figure(double value) {
  if (!std::isfinite(value)) return format("%g", value);
  return std::strtod(format("%.4g", value).c_str(), nullptr);
}

Json prompts_json(const std::vector<std::string>& prompts, int steps, const std::string& digest) {
  return {{"prompts", prompts.size()}, {"steps", steps}, {"sha256", digest}};
}

Json layer_json(const LayerReport& layer) {
  Json json = {{"name", layer.name}, {"fp8", layer.quantised}};
  if (layer.amax > 0) {
    json["calibration"] = {{"amax", figure(static_cast<double>(layer.amax))},
                           {"percentile", figure(static_cast<double>(layer.percentile))},
                           {"error", figure(layer.calibration_error)}};
  }
  json["weight_error"] = figure(layer.weight_error);
  json["error"] = figure(layer.output_error);
  json["input_scale"] = layer.input_scale ? Json(*layer.input_scale) : Json();
  json["range"] = figure(range_ratio(layer));
  json["inputs"] = layer.inputs;
  json["saturated"] = layer.saturated;
  return json;
}

Json limits_json(const GateLimits& l) {
  return {{"psnr", l.psnr},           {"ssim", l.ssim},
          {"gmsd", l.gmsd},           {"weight_error", l.weight_error},
          {"error", l.layer_error},   {"saturated_share", l.saturated},
          {"range_low", l.range_low}, {"range_high", l.range_high}};
}

Json gate_json(const QuantizeOptions& o, const QuantizeReport& r) {
  Json pictures = Json::array();
  for (const PictureReport& p : r.pictures) {
    pictures.push_back({{"seed", p.seed},
                        {"psnr", figure(p.psnr)},
                        {"ssim", figure(p.ssim)},
                        {"gmsd", figure(p.gmsd)}});
  }
  return {{"passed", r.failures.empty()},
          {"accepted_quality_loss", o.accept_quality_loss && !r.failures.empty()},
          {"psnr", figure(r.psnr)},
          {"ssim", figure(r.ssim)},
          {"gmsd", figure(r.gmsd)},
          {"limits", limits_json(o.limits)},
          {"failures", r.failures},
          {"pictures", std::move(pictures)}};
}

}  // namespace

std::string report_json(const QuantizeOptions& o, const RunSettings& s, const QuantizeReport& r) {
  Json json = {{"format", 1}, {"to", "fp8_e4m3"}, {"computed", "cpu f32, candidate fp8"}};
  json["source"] = {{"stored", r.source}, {"sha256", r.source_digest}};
  if (o.candidate.empty()) {
    json["weight_scale"] = o.weight_scale == WeightScale::kRow ? "row" : "tensor";
    json["input_range"] = o.percentile ? Json(*o.percentile) : Json("amax");
    json["modulation"] = o.modulation_fp8 ? "fp8" : "16 bit";
    json["block_error"] = o.block_error;
    json["kept_blocks"] = r.kept_blocks;
    json["calibration"] = prompts_json(o.calibration, s.calibration_steps, s.calibration_digest);
  }
  json["held_out"] = prompts_json(o.holdout, s.gate_steps, s.holdout_digest);
  json["seed"] = o.seed;
  json["width"] = s.width;
  json["height"] = s.height;
  json["gate"] = gate_json(o, r);
  Json layers = Json::array();
  for (const LayerReport& layer : r.layers) layers.push_back(layer_json(layer));
  json["layers"] = std::move(layers);
  return json.dump();
}

}  // namespace octet
