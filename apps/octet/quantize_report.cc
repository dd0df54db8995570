#include "quantize_report.h"

#include <algorithm>

#include "base/format.h"

namespace octet::cli {
namespace {

std::string layer_line(const LayerReport& layer) {
  const std::string scale =
      layer.input_scale ? format("%9.3g", static_cast<double>(*layer.input_scale)) : "        -";
  return format("  %-44s %-7s %7.4f %7.4f %9.3g %9.3g %s %10llu", layer.name.c_str(),
                layer.quantised ? "fp8" : "16 bit", layer.weight_error, layer.output_error,
                static_cast<double>(layer.amax), static_cast<double>(layer.held_out_amax),
                scale.c_str(), static_cast<unsigned long long>(layer.saturated));
}

std::string kept_line(const QuantizeReport& report) {
  std::string text = "blocks kept in 16 bit:";
  for (const int block : report.kept_blocks) text += format(" %d", block);
  return text;
}

}  // namespace

std::vector<std::string> quantize_lines(const QuantizeReport& report) {
  std::vector<std::string> lines;
  lines.push_back(format("  %-44s %-7s %7s %7s %9s %9s %9s %10s", "layer", "stored", "weight",
                         "output", "calibr.", "held-out", "input", "saturated"));
  lines.push_back(format("  %-44s %-7s %7s %7s %9s %9s %9s %10s", "", "", "error", "error",
                         "largest", "largest", "scale", "inputs"));
  for (const LayerReport& layer : report.layers) lines.push_back(layer_line(layer));
  if (!report.kept_blocks.empty()) lines.push_back(kept_line(report));
  for (const PictureReport& p : report.pictures) {
    lines.push_back(format("  seed %llu  PSNR %.2f dB  SSIM %.4f  GMSD %.4f  %s",
                           static_cast<unsigned long long>(p.seed), p.psnr, p.ssim, p.gmsd,
                           excerpt(p.prompt, 60).c_str()));
  }
  lines.push_back(
      format("mean PSNR %.2f dB, SSIM %.4f, GMSD %.4f", report.psnr, report.ssim, report.gmsd));
  for (const std::string& failure : report.failures) lines.push_back("limit broken: " + failure);
  if (report.written) {
    lines.push_back(format("%s  %.1f MB", excerpt(report.file, 300).c_str(),
                           static_cast<double>(report.file_bytes) / 1e6));
  }
  return lines;
}

}  // namespace octet::cli
