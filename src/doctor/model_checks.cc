// The model and its lock.
#include "base/format.h"
#include "doctor/checks.h"
#include "octet/inspect.h"
#include "octet/lock.h"

namespace octet::doctor {

EngineOptions without_lock(EngineOptions options) {
  options.lock.clear();
  return options;
}

Results check_model(const Subject& subject, Depth /*depth*/) {
  if (!subject.uses_model) return ok("no model is asked for");
  const std::string& name = subject.engine.model;
  const std::string remedy = "octet inspect '" + excerpt(name, 300) + "'";
  try {
    const ModelInspection found = inspect_model(without_lock(subject.engine));
    if (found.problems.empty()) {
      return ok(format("%s: %s, %.2f GB in %llu files", excerpt(name, 300).c_str(),
                       found.architecture.c_str(), static_cast<double>(found.bytes) * 1e-9,
                       static_cast<unsigned long long>(found.files)));
    }
    return failure(found.problems.front(), remedy);
  } catch (const Error& error) {
    return failure(error.what(), remedy);
  }
}

Results check_lock(const Subject& subject, Depth /*depth*/) {
  const EngineOptions& engine = subject.engine;
  if (!subject.uses_model || engine.lock.empty()) return ok("no lock is given");
  const std::string remedy = "restore the files that differ: octet verify '" +
                             excerpt(engine.model, 300) + "' --lock '" + excerpt(engine.lock, 300) +
                             "' --full lists them; or lock the model anew with octet lock";
  try {
    const LockReport report = verify_lock(engine, true, {});
    if (report.differences.empty()) {
      return ok(format("%s: every byte of %llu files is as locked",
                       excerpt(engine.lock, 300).c_str(),
                       static_cast<unsigned long long>(report.files)));
    }
    const std::size_t more = report.differences.size() - 1;
    return failure(format("%s: %s%s", excerpt(engine.lock, 300).c_str(),
                          excerpt(report.differences[0], 600).c_str(),
                          more == 0 ? "" : format(" (and %zu more)", more).c_str()),
                   remedy);
  } catch (const Error& error) {
    return failure(error.what(), remedy);
  }
}

}  // namespace octet::doctor
