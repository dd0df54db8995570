#include "bench_report.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/format.h"
#include "build_info.h"
#include "report.h"

namespace octet::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr double kTera = 1e12;
constexpr double kGiga = 1e9;

template <typename Get>
double middle(const BenchBatch& b, const Get& get) {
  std::vector<double> values;
  for (const BenchRound& round : b.rounds) values.push_back(get(round));
  return median(std::move(values));
}

struct Medians {
  double text, modulation, denoise, decode, encode, total;
};

Medians medians(const BenchBatch& b) {
  return {.text = middle(b, [](const BenchRound& r) { return r.stages.text; }),
          .modulation = middle(b, [](const BenchRound& r) { return r.stages.modulation; }),
          .denoise = middle(b, [](const BenchRound& r) { return r.stages.denoise; }),
          .decode = middle(b, [](const BenchRound& r) { return r.stages.decode; }),
          .encode = middle(b, [](const BenchRound& r) { return r.encode; }),
          .total = middle(b, [](const BenchRound& r) { return r.total; })};
}

double tflops(double flops, double seconds) { return seconds > 0 ? flops / seconds / kTera : 0; }

double rounded(double value) { return std::round(value * 1e6) / 1e6; }

Json stages_json(double text, double modulation, double denoise, double decode, double encode,
                 double total) {
  return {{"text", rounded(text)},       {"modulation", rounded(modulation)},
          {"denoise", rounded(denoise)}, {"decode", rounded(decode)},
          {"encode", rounded(encode)},   {"total", rounded(total)}};
}

Json batch_json(const BenchBatch& b) {
  const Medians m = medians(b);
  Json rounds = Json::array();
  for (const BenchRound& r : b.rounds) {
    rounds.push_back(stages_json(r.stages.text, r.stages.modulation, r.stages.denoise,
                                 r.stages.decode, r.encode, r.total));
  }
  const double steps = b.used.steps;
  return {{"batch", b.batch},
          {"width", b.used.width},
          {"height", b.used.height},
          {"steps", b.used.steps},
          {"guidance", b.used.guidance},
          {"t5_length", b.used.t5_length},
          {"seconds", stages_json(m.text, m.modulation, m.denoise, m.decode, m.encode, m.total)},
          {"ms_per_step", rounded(m.denoise / steps * 1e3)},
          {"images_per_second", rounded(b.batch / m.total)},
          {"tflop_per_step", rounded(stage_flops(b.work, "denoise") / steps / kTera)},
          {"denoise_tflops", rounded(tflops(stage_flops(b.work, "denoise"), m.denoise))},
          {"decode_tflops", rounded(tflops(stage_flops(b.work, "decode"), m.decode))},
          {"text_tflops", rounded(tflops(stage_flops(b.work, "text"), m.text))},
          {"device_peak_bytes", b.device_peak_bytes == 0 ? Json() : Json(b.device_peak_bytes)},
          {"activation_bytes", b.activation_bytes},
          {"rounds", rounds}};
}

Json ops_json(const Profile& p) {
  Json rows = Json::array();
  for (const OpRow& r : p.rows) {
    rows.push_back({{"stage", r.stage},
                    {"op", r.op},
                    {"shape", r.shape},
                    {"numbers", r.numbers},
                    {"calls", r.calls},
                    {"seconds", r.seconds},
                    {"flops", r.flops},
                    {"bytes", r.bytes},
                    {"part_of_ceiling", rounded(part_of_ceiling(r, p.ceilings))}});
  }
  return {{"steps", p.steps},
          {"copy_gb_per_second", rounded(p.ceilings.copy_bytes_per_second / kGiga)},
          {"f32_tflops", rounded(p.ceilings.f32_flops_per_second / kTera)},
          {"bf16_tflops", rounded(p.ceilings.bf16_flops_per_second / kTera)},
          {"fp8_tflops", rounded(p.ceilings.fp8_flops_per_second / kTera)},
          {"rows", rows}};
}

template <typename T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

Json gpu_json(const GpuReading& g) {
  return {{"name", g.name},
          {"driver", g.driver},
          {"sm_mhz", or_null(g.sm_mhz)},
          {"memory_mhz", or_null(g.memory_mhz)},
          {"watts", or_null(g.watts)},
          {"celsius", or_null(g.celsius)}};
}

std::string gpu_text(const GpuReading& g) {
  std::string text = format("%s, driver %s", g.name.c_str(), g.driver.c_str());
  if (g.sm_mhz) text += format(", at the end %u MHz", *g.sm_mhz);
  if (g.memory_mhz) text += format(", memory %u MHz", *g.memory_mhz);
  if (g.watts) text += format(", %.0f W", *g.watts);
  if (g.celsius) text += format(", %u C", *g.celsius);
  return text + "\n";
}

double stage_seconds(const Profile& p, const std::string& stage) {
  double seconds = 0;
  for (const OpRow& r : p.rows) seconds += r.stage == stage ? r.seconds : 0;
  return seconds;
}

// Milliseconds of one step for rows of the loop, of the whole stage for others.
std::string op_line(const OpRow& r, const Profile& p) {
  const bool loop = r.stage == "denoise";
  const double parts = loop ? p.steps : 1;
  const double whole = stage_seconds(p, r.stage);
  const bool product = r.flops > 0;
  const double rate = r.seconds > 0 ? (product ? r.flops / kTera : r.bytes / kGiga) / r.seconds : 0;
  return format("%-10s %-20s %-44s %5.0f %9.3f %5.1f%% %8.1f %-6s %4.0f%%\n", r.stage.c_str(),
                r.op.c_str(), r.shape.c_str(), r.calls / parts, r.seconds / parts * 1e3,
                whole > 0 ? r.seconds / whole * 100 : 0, rate, product ? "TFLOPS" : "GB/s",
                part_of_ceiling(r, p.ceilings) * 100);
}

std::string ops_text(const Profile& p) {
  std::string text = format(
      "\nops, of %d steps; ceilings measured here: copy %.0f GB/s, products %.1f (f32), %.1f "
      "(bf16), %.1f (fp8) TFLOPS\n%-10s %-20s %-44s %5s %9s %6s %15s %5s\n",
      p.steps, p.ceilings.copy_bytes_per_second / kGiga, p.ceilings.f32_flops_per_second / kTera,
      p.ceilings.bf16_flops_per_second / kTera, p.ceilings.fp8_flops_per_second / kTera, "stage",
      "op", "shape", "calls", "ms", "share", "rate", "ceil");
  for (const char* stage : {"denoise", "decode", "text", "modulation"}) {
    for (const OpRow& r : p.rows) {
      if (r.stage == stage) text += op_line(r, p);
    }
    const double parts = std::string(stage) == "denoise" ? p.steps : 1;
    text += format("%-10s all %.3f ms\n", stage, stage_seconds(p, stage) / parts * 1e3);
  }
  return text;
}

}  // namespace

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

double stage_flops(const Profile& work, const std::string& stage) {
  double flops = 0;
  for (const OpRow& r : work.rows) flops += r.stage == stage ? r.flops : 0;
  return flops;
}

double part_of_ceiling(const OpRow& r, const Ceilings& c) {
  if (r.seconds <= 0) return 0;
  if (r.flops <= 0) {
    return c.copy_bytes_per_second > 0 ? r.bytes / r.seconds / c.copy_bytes_per_second : 0;
  }
  const double ceiling = r.numbers == "fp8"    ? c.fp8_flops_per_second
                         : r.numbers == "bf16" ? c.bf16_flops_per_second
                                               : c.f32_flops_per_second;
  if (ceiling <= 0) return 0;
  // The time that the slower of computing and moving would take at best.
  const double best = std::max(
      r.flops / ceiling, c.copy_bytes_per_second > 0 ? r.bytes / c.copy_bytes_per_second : 0.0);
  return best / r.seconds;
}

std::string bench_text(const BenchReport& report) {
  std::string text;
  for (const std::string& line : model_lines(report.model)) text += line + "\n";
  for (const BenchBatch& b : report.batches) {
    const Medians m = medians(b);
    text += format(
        "batch %d, %dx%d, %d steps, guidance %g: %.2f ms per step (%.1f TFLOPS), %.3f images/s\n"
        "  ms: text %.1f, modulation %.1f, denoise %.1f, decode %.1f, encode %.1f; prompt to PNG "
        "%.1f, median of %zu\n",
        b.batch, b.used.width, b.used.height, b.used.steps, static_cast<double>(b.used.guidance),
        m.denoise / b.used.steps * 1e3, tflops(stage_flops(b.work, "denoise"), m.denoise),
        b.batch / m.total, m.text * 1e3, m.modulation * 1e3, m.denoise * 1e3, m.decode * 1e3,
        m.encode * 1e3, m.total * 1e3, b.rounds.size());
    text +=
        format("  memory: %.3f GB of activations", static_cast<double>(b.activation_bytes) / kGiga);
    if (b.device_peak_bytes != 0) {
      text += format(", %.3f GB on the device at the peak, context included",
                     static_cast<double>(b.device_peak_bytes) / kGiga);
    }
    text += "\n";
  }
  if (!report.gpu.name.empty()) text += gpu_text(report.gpu);
  return report.options.ops ? text + ops_text(report.ops) : text;
}

std::string bench_json(const BenchReport& report) {
  Json components = Json::array();
  for (const ComponentInfo& c : report.model.components) {
    components.push_back(
        {{"name", c.name}, {"stored", c.stored}, {"compute", c.compute}, {"bytes", c.bytes}});
  }
  Json batches = Json::array();
  for (const BenchBatch& b : report.batches) batches.push_back(batch_json(b));
  Json json = {{"version", version()},
               {"commit", commit()},
               {"compiler", compiler()},
               {"model", report.model.name},
               {"digest", report.model.digest},
               {"device", report.model.device},
               {"memory", report.model.memory},
               {"components", components},
               {"load_seconds", rounded(report.model.load_seconds)},
               {"warmup", report.options.warmup},
               {"batches", batches},
               {"peak_resident_bytes", peak_resident_bytes()}};
  if (!report.gpu.name.empty()) json["gpu"] = gpu_json(report.gpu);
  if (report.options.ops) json["ops"] = ops_json(report.ops);
  return json.dump(2) + "\n";
}

}  // namespace octet::cli
