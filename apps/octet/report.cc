#include "report.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/format.h"
#include "build_info.h"
#include "image/record.h"

namespace octet::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMiB = std::size_t{1} << 20;

/// The shortest decimal that reads back as `value`: 4.5 and 0.1, not 0.10000000149011612.
double shortest(float value) {
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size() - 1, value).ptr;
  *end = '\0';
  return std::strtod(text.data(), nullptr);
}

/// Tenths of a millisecond are enough.
double rounded(double seconds) { return static_cast<double>(std::lround(seconds * 1e4)) / 1e4; }

Json settings_json(const RunReport& report) {
  const UsedSettings& used = report.result.used;
  const GenerateRequest& request = report.options.request;
  return {{"steps", used.steps},
          {"guidance", shortest(used.guidance)},
          {"shift", shortest(used.shift)},
          {"width", used.width},
          {"height", used.height},
          {"batch", request.batch},
          {"sampler", used.sampler},
          {"schedule", used.schedule},
          {"skip_layers", request.skip_layers},
          {"skip_scale", shortest(used.skip_scale)},
          {"skip_start", shortest(used.skip_start)},
          {"skip_end", shortest(used.skip_end)},
          {"t5_length", used.t5_length},
          {"compat", compat_name(request.compat)},
          {"threads", report.options.engine.threads}};
}

Json init_json(const RunReport& report) {
  const GenerateOptions& options = report.options;
  Json init = {{"path", options.init_file},
               {"sha256", options.init_digest},
               {"strength", report.result.used.strength},
               {"steps_run", report.result.used.run_steps}};
  if (!options.mask_file.empty()) {
    init["mask"] = {{"path", options.mask_file}, {"sha256", options.mask_digest}};
  }
  return init;
}

Json images_json(const RunReport& report) {
  Json images = Json::array();
  for (std::size_t i = 0; i < report.result.pictures.size(); ++i) {
    const Picture& picture = report.result.pictures[i];
    images.push_back({{"path", report.outputs.files.at(i)},
                      {"seed", picture.seed},
                      {"width", picture.width},
                      {"height", picture.height}});
  }
  return images;
}

Json model_json(const ModelInfo& model) {
  return {{"name", model.name},     {"path", model.path},     {"variant", model.variant},
          {"digest", model.digest}, {"preset", model.preset}, {"device", model.device}};
}

Json components_json(const ModelInfo& model) {
  Json components = Json::array();
  for (const ComponentInfo& part : model.components) {
    components.push_back({{"name", part.name},
                          {"architecture", part.architecture},
                          {"layout", part.layout},
                          {"stored", part.stored},
                          {"compute", part.compute},
                          {"reason", part.reason},
                          {"bytes", part.bytes}});
  }
  return components;
}

Json loras_json(const ModelInfo& model) {
  Json files = Json::array();
  for (const LoraInfo& lora : model.loras) {
    files.push_back(
        {{"path", lora.path}, {"weight", shortest(lora.weight)}, {"layers", lora.layers}});
  }
  Json merges = Json::array();
  for (const LoraMerge& merge : model.lora_merges) {
    merges.push_back({{"component", merge.component},
                      {"stored", merge.stored},
                      {"relative_rounding_error", merge.rounding}});
  }
  return {{"files", std::move(files)}, {"merged", std::move(merges)}};
}

Json seconds_json(const RunReport& report) {
  const StageSeconds& stages = report.result.seconds;
  return {{"load", rounded(report.model.load_seconds)},
          {"init", rounded(stages.init)},
          {"text", rounded(stages.text)},
          {"denoise", rounded(stages.denoise)},
          {"decode", rounded(stages.decode)},
          {"encode", rounded(report.encode_seconds)},
          {"total", rounded(report.total_seconds)}};
}

Json memory_json(const RunReport& report) {
  std::size_t weights = 0;
  for (const ComponentInfo& part : report.model.components) weights += part.bytes;
  return {{"plan", report.model.memory},
          {"peak_resident_bytes", peak_resident_bytes()},
          {"activation_peak_bytes", report.result.activation_peak_bytes},
          {"weight_bytes", weights}};
}

std::string component_line(const ComponentInfo& part) {
  std::string line = format("  %s: %s stored, %s computed", part.name.c_str(), part.stored.c_str(),
                            part.compute.c_str());
  if (!part.reason.empty()) line += " (" + part.reason + ")";
  return line;
}

}  // namespace

std::size_t peak_resident_bytes() {
  std::ifstream status("/proc/self/status");
  std::string word;
  while (status >> word) {
    std::size_t kilobytes = 0;
    if (word == "VmHWM:" && status >> kilobytes) return kilobytes * 1024;
  }
  return 0;
}

std::vector<std::string> model_lines(const ModelInfo& model) {
  std::size_t bytes = 0;
  for (const ComponentInfo& part : model.components) bytes += part.bytes;
  const std::string variant = model.variant.empty() ? "" : model.variant + ", ";
  std::vector<std::string> lines = {
      format("model %s (%s%s), %zu MiB of weights, loaded in %.2f s", model.name.c_str(),
             variant.c_str(), model.path.c_str(), bytes / kMiB, model.load_seconds),
      "  device " + model.device};
  if (!model.memory.empty()) lines.push_back("  memory " + model.memory);
  if (!model.preset.empty()) lines.push_back("  settings of " + model.preset);
  for (const ComponentInfo& part : model.components) lines.push_back(component_line(part));
  for (const LoraInfo& lora : model.loras) {
    lines.push_back(format("  lora %s: weight %g, %d layers", lora.path.c_str(),
                           shortest(lora.weight), lora.layers));
  }
  for (const LoraMerge& merge : model.lora_merges) {
    lines.push_back(
        format("  lora: %s: added in F32, stored as %s again (relative rounding error "
               "%.1e of the changed weights)",
               merge.component.c_str(), merge.stored.c_str(), merge.rounding));
  }
  return lines;
}

std::vector<std::string> picture_lines(const RunReport& report) {
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < report.result.pictures.size(); ++i) {
    const std::string name =
        report.outputs.to_stdout ? "standard output" : report.outputs.files.at(i);
    lines.push_back(format("%s  seed %llu", name.c_str(),
                           static_cast<unsigned long long>(report.result.pictures[i].seed)));
  }
  if (!lines.empty()) lines.back() += format("  %.2f s", report.total_seconds);
  return lines;
}

std::string json_report(const RunReport& report) {
  Json json = {{"version", version()}, {"commit", commit()}};
  json["prompt"] = report.options.request.prompt;
  json["negative_prompt"] = report.options.request.negative_prompt;
  json["seed"] = report.result.used.seed;
  json["images"] = images_json(report);
  if (!report.options.init_file.empty()) json["init"] = init_json(report);
  json["settings"] = settings_json(report);
  json["model"] = model_json(report.model);
  json["components"] = components_json(report.model);
  if (!report.model.loras.empty()) json["lora"] = loras_json(report.model);
  json["seconds"] = seconds_json(report);
  json["memory"] = memory_json(report);
  if (!report.options.noise_file.empty()) json["noise"] = report.options.noise_file;
  if (!report.options.dump_file.empty()) json["dump"] = report.options.dump_file;
  json["warnings"] = report.warnings;
  // File names need not be UTF-8, JSON must be.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace octet::cli
