// Each GPU by its own monitor: memory that is free and who holds the rest, errors, heat,
// throttling.
#include <algorithm>

#include "base/format.h"
#include "doctor/checks.h"
#include "doctor/cuda_driver.h"
#include "doctor/nvml.h"
#include "doctor/planned_peak.h"

namespace octet::doctor {
namespace {

constexpr unsigned kHot = 90;                                         // degrees Celsius
constexpr unsigned long long kSlowedDown = 0x8 | 0x20 | 0x40 | 0x80;  // hardware, heat, power brake

double gb(std::uint64_t bytes) { return static_cast<double>(bytes) * 1e-9; }

std::string who(const GpuReading& r) {
  std::string text;
  for (const GpuHolder& h : r.holders) {
    text += format("%sprocess %u", text.empty() ? "" : ", ", h.pid);
    if (h.bytes != 0) text += format(" (%.1f GB)", gb(h.bytes));
  }
  return text.empty() ? "" : "; held by " + text;
}

/// Least and comfortable memory for the expected request; 0: not to be told.
std::pair<std::uint64_t, std::uint64_t> needed(const Subject& subject) {
  if (!subject.uses_model) return {0, 0};
  try {
    const ModelInspection inspection = inspect_model(without_lock(subject.engine));
    const MemoryEstimate* e = planned(inspection, "cuda");
    if (e == nullptr) return {0, 0};
    return {e->least != 0 ? e->least : e->none, e->none};
  } catch (const Error&) {
    return {0, 0};  // another check has the cause
  }
}

Result memory_of(const Subject& subject, const std::string& label, const GpuReading& r) {
  const auto [least, all] = needed(subject);
  std::string says = format("%s: %.1f of %.1f GB are free%s", label.c_str(), gb(r.free),
                            gb(r.total), who(r).c_str());
  if (all == 0) return {Level::kOk, says, ""};
  says += format("; planned are %.1f GB", gb(all));
  if (least != all) says += format(", %.1f GB at least", gb(least));
  const std::string remedy =
      "end the others: nvidia-smi lists them; or use a smaller model, "
      "variant or picture";
  if (r.free < least) return gpu_problem(subject, says, remedy);
  if (r.free < all) return {Level::kWarning, says + ": weights will wait in host memory", remedy};
  return {Level::kOk, says, ""};
}

Result health_of(const Subject& subject, const std::string& label, const GpuReading& r) {
  if (r.uncorrected.value_or(0) != 0) {
    return gpu_problem(subject,
                       format("%s: %llu uncorrected errors of memory (ECC), expected 0",
                              label.c_str(), *r.uncorrected),
                       "reset it (sudo nvidia-smi -r) or reboot; if they come back, have it "
                       "replaced");
  }
  std::string says = label + ":";
  if (r.celsius) says += format(" %u degrees,", *r.celsius);
  says += r.uncorrected ? " no uncorrected errors" : " no ECC";
  if (r.pcie_width != 0) says += format(", PCIe x%u", r.pcie_width);
  if (r.celsius.value_or(0) >= kHot) {
    return {Level::kWarning, says + format(", hotter than %u degrees", kHot),
            "look after its cooling: nvidia-smi -q -d TEMPERATURE"};
  }
  if ((r.throttle & kSlowedDown) != 0) {
    return {Level::kWarning, says + ", slowed down by heat or power",
            "nvidia-smi -q -d PERFORMANCE says why"};
  }
  return {Level::kOk, says, ""};
}

Results of_each(const Subject& subject,
                Result (*look)(const Subject&, const std::string&, const GpuReading&)) {
  Results results;
  const CudaDriver& d = cuda_driver();
  const auto asked = asked_gpu(subject);
  for (std::size_t i = 0; d.works() && i < d.gpus.size(); ++i) {
    if (asked && static_cast<std::size_t>(*asked) != i) continue;
    const std::string label = format("cuda:%zu %s", i, d.gpus[i].name.c_str());
    const auto reading = read_gpu(d.gpus[i].bus);
    results.push_back(reading ? look(subject, label, *reading)
                              : Result{Level::kOk, label + ": libnvidia-ml does not tell", ""});
  }
  return results.empty() ? ok("no GPU to look at") : results;
}

}  // namespace

Results check_gpu_memory(const Subject& subject, Depth /*depth*/) {
  return of_each(subject, memory_of);
}

Results check_gpu_health(const Subject& subject, Depth /*depth*/) {
  return of_each(subject, health_of);
}

}  // namespace octet::doctor
