#include "doctor_stress.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>

#include "base/format.h"
#include "doctor/cuda_driver.h"
#include "doctor/nvml.h"
#include "doctor/planned_peak.h"
#include "doctor/stress.h"
#include "gpu_monitor.h"
#include "interrupt.h"
#include "octet/engine.h"
#include "octet/inspect.h"
#include "report.h"
#include "standard_streams.h"

namespace octet::cli {
namespace {

constexpr double kRowSeconds = 30;
constexpr int kLeastRows = 10;

std::uint64_t planned_peak(const EngineOptions& options, const char* device) {
  const ModelInspection inspection = inspect_model(options);
  const MemoryEstimate* plan = doctor::planned(inspection, device);
  if (plan == nullptr) return 0;
  if (options.memory.offload == "text") return plan->text;
  if (options.memory.offload == "all") return plan->all;
  return plan->none;
}

/// On the CPU the process itself and what its allocator keeps are measured, too: the same margin as
/// that of the alert OctetMemoryAbovePlan.
doctor::MemoryBound memory_bound(const EngineOptions& options, bool on_gpu) {
  doctor::MemoryBound bound{.what = on_gpu ? "GPU memory above what was in use before"
                                           : "resident memory of the whole process"};
  if (!options.memory.limit.empty()) {
    bound.rule = "with --max-memory there is no plan for all weights at once";
    return bound;
  }
  bound.planned = planned_peak(options, on_gpu ? "cuda" : "cpu");
  if (bound.planned == 0) {
    bound.rule = "the plan of this model and request cannot be told";
    return bound;
  }
  bound.most = on_gpu ? bound.planned : bound.planned / 4 * 5 + (std::uint64_t{512} << 20);
  bound.rule = on_gpu ? "the plan, context and libraries included" : "1.25 x the plan + 512 MiB";
  return bound;
}

std::optional<doctor::GpuReading> health(const std::string& device) {
  const doctor::CudaDriver& driver = doctor::cuda_driver();
  const std::size_t colon = device.find(':');
  const int index = colon == std::string::npos ? 0 : std::atoi(device.c_str() + colon + 1);
  if (!driver.works() || static_cast<std::size_t>(index) >= driver.gpus.size()) return {};
  return doctor::read_gpu(driver.gpus[static_cast<std::size_t>(index)].bus);
}

void print_row(const doctor::StressRound& r) {
  std::string line = format("%6.0f s  step %.4f s  memory %.3f GB", r.at, r.step_seconds,
                            static_cast<double>(r.memory) / 1e9);
  if (r.gpu && r.gpu->celsius) line += format("  %u degrees", *r.gpu->celsius);
  if (r.sm_mhz) line += format("  %u MHz", *r.sm_mhz);
  if (r.watts) line += format("  %.0f W", *r.watts);
  if (r.gpu && r.gpu->uncorrected) line += format("  ECC %llu", *r.gpu->uncorrected);
  if (r.gpu) line += format("  throttle 0x%llx", r.gpu->throttle);
  print_line(line);
}

StressReport run(const doctor::Subject& subject, double minutes) {
  const std::string& device = subject.engine.device;
  GpuMonitor monitor(device);
  Engine engine(subject.engine);
  const CleanStop clean_stop;
  const bool on_gpu = engine.model().device.starts_with("cuda");
  const GenerateHooks hooks{
      .progress = [](const Progress&) { return !interrupted(); }, .dump = {}, .picture = {}};
  const auto draw = [&] {
    const GenerateResult drawn = engine.generate(subject.engine.memory.request, hooks);
    const GpuReading gpu = on_gpu ? monitor.read() : GpuReading{};
    return doctor::StressRound{
        .step_seconds = drawn.seconds.denoise / std::max(1, drawn.used.run_steps),
        .memory = on_gpu ? monitor.peak_bytes() : peak_resident_bytes(),
        .gpu = on_gpu ? health(device) : std::nullopt,
        .sm_mhz = gpu.sm_mhz,
        .memory_mhz = gpu.memory_mhz,
        .watts = gpu.watts};
  };
  StressReport report;
  const double seconds = 60 * minutes;
  double next = 0;
  const auto row = [&](const doctor::StressRound& r) {
    if (r.at < next) return;
    next = r.at + std::min(kRowSeconds, seconds / kLeastRows);
    report.rows.push_back(r);
    print_row(r);
  };
  report.findings = doctor::run_stress(
      {.seconds = seconds, .memory = memory_bound(subject.engine, on_gpu)}, draw, row);
  return report;
}

}  // namespace

StressReport stress(const doctor::Subject& subject, double minutes) {
  install_interrupt_handlers();
  try {
    return run(subject, minutes);
  } catch (const Error& error) {
    if (error.code() == Code::kCancelled) throw;
    return {.findings = {{.id = "stress",
                          .level = doctor::Level::kFailure,
                          .says = error.what(),
                          .remedy = "mend what the checks above name, and try again",
                          .code = error.code()}},
            .rows = {}};
  }
}

}  // namespace octet::cli
