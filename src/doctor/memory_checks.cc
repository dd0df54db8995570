// Host memory: what the request is planned to take, what there is, and who limits it.
#include <sys/statvfs.h>

#include "base/available_memory.h"
#include "base/format.h"
#include "base/memory_limit.h"
#include "doctor/checks.h"
#include "doctor/planned_peak.h"

namespace octet::doctor {
namespace {

// With more than this left over the files' sizes nobody has to plan: no model of the family takes
// more activations for the sizes that it draws.
constexpr std::size_t kAmple = std::size_t{12} << 30;

unsigned long long mib(std::size_t bytes) { return static_cast<unsigned long long>(bytes) >> 20; }

bool on_host(const Subject& subject) { return !asked_gpu(subject); }

}  // namespace

const MemoryEstimate* planned(const ModelInspection& inspection, const std::string& device) {
  for (const MemoryEstimate& e : inspection.request) {
    if (e.device == device && e.problem.empty()) return &e;
  }
  return nullptr;
}

Results check_memory(const Subject& subject, Depth depth) {
  const std::size_t available = available_memory();
  const auto limit = memory_limit();
  std::string says = format("%llu MiB of memory can be had", mib(available));
  if (limit) says += format(" (%s: %llu MiB)", limit->file.c_str(), mib(limit->limit));
  if (!subject.uses_model || !on_host(subject)) return ok(says);
  if (depth == Depth::kFast && (available == 0 || available > kAmple)) return ok(says);
  ModelInspection inspection;
  try {
    inspection = inspect_model(without_lock(subject.engine));
  } catch (const Error&) {
    return ok(says);  // the check of the model has the cause
  }
  const MemoryEstimate* plan = planned(inspection, "cpu");
  const std::size_t peak = plan == nullptr ? 0 : static_cast<std::size_t>(plan->none);
  if (peak == 0) return ok(says + "; the model's plan cannot be told");
  const std::string planned = says + format(", %s is planned to take %llu MiB",
                                            excerpt(subject.engine.model).c_str(), mib(peak));
  if (available == 0 || peak <= available) return ok(planned);
  if (limit && available <= limit->limit && limit->file.starts_with("ulimit")) {
    return failure(planned, limit->file + " unlimited");
  }
  if (limit && available <= limit->limit) {
    return failure(planned,
                   "raise the container's limit: docker run --memory, MemoryMax= of the "
                   "systemd unit, resources.limits.memory in Kubernetes");
  }
  return failure(planned, "end other programs, or use a smaller model, variant or picture");
}

Results check_shared_memory(const Subject& /*subject*/, Depth /*depth*/) {
  struct statvfs info {};
  if (::statvfs("/dev/shm", &info) != 0) {
    return warning("there is no /dev/shm", "mount -t tmpfs tmpfs /dev/shm");
  }
  const auto free = static_cast<std::size_t>(info.f_bavail) * info.f_frsize;
  const std::string says = format("/dev/shm has %llu MiB free", mib(free));
  if (free >= (std::size_t{32} << 20)) return ok(says);
  return warning(says + ", 32 MiB are usual", "docker run --shm-size=1g, or remove files in it");
}

}  // namespace octet::doctor
