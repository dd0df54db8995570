// Doctor: is this machine fit for what Octet is about to do, and if not, what is to be done?
//
//   for (const Finding& f : octet::doctor::examine(subject)) print(f.id, f.says, f.remedy);
//   octet::doctor::require_fit(subject);  // at the start: throws what blocks, with the same words
//
// Every check is one row of one table (checks.cc) and one function. Ids are stable: scripts, alert
// rules and docs/environments.md use them. The fast subset takes less than 5 ms beyond what the
// start does anyway (opening the driver and cuBLASLt for --device cuda).
//
// Nothing is changed on the machine, nothing is repaired. Thread-safety: reentrant; the driver is
// looked at once per process. Errors: examine and fast_checks throw none, what goes wrong inside a
// check is its finding; require_fit throws Error with the check's code and "id: what; remedy".
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "octet/engine.h"
#include "octet/error.h"

namespace octet::doctor {

enum class Level : std::uint8_t { kOk, kWarning, kFailure };
[[nodiscard]] const char* name_of(Level level);  // "ok", "warning", "failure"

/// What is about to be done here. Empty fields are not examined.
struct Subject {
  EngineOptions engine;     // model, lock, device, compute, size of the expected request
  bool uses_model = true;   // false: another process will
  bool uses_device = true;  // likewise
  std::string output;       // folder in which results are written
  std::string address;      // to listen on
  std::uint16_t port = 0;   // 0: any
  std::string keys;         // file of API keys
};

struct Finding {
  std::string id;  // of the check
  Level level = Level::kOk;
  std::string says;    // one sentence: what was found, and what was expected where it is not ok
  std::string remedy;  // one line that can be pasted or done; empty when ok
  Code code = Code::kInternal;  // of a start that it blocks
};

/// All checks in the table's order; a check about several things has a finding for each.
[[nodiscard]] std::vector<Finding> examine(const Subject& subject);

/// Failures of the fast subset, for /readyz; empty: fit.
[[nodiscard]] std::vector<Finding> fast_checks(const Subject& subject);
/// The same, thrown: the first failure as "id: what; remedy".
void require_fit(const Subject& subject);

/// An error of loading a model, as the finding that it is: "model: what; remedy". Errors that no
/// check is about, and those that carry an id already, stay as they are.
[[nodiscard]] Error named(const Error& error, const EngineOptions& engine);
/// Memory that ran out while pictures were drawn: "gpu-memory: what" or "memory: what". `device` is
/// the model's.
[[nodiscard]] Error named_memory(const Error& error, const std::string& device);
/// An error of writing results, likewise.
[[nodiscard]] Error named_output(const Error& error);

/// The id of the check that an error is about, by its text: "id: what"; empty: of none. What is
/// wrong with a request (a field "model" that is unknown) is about none.
[[nodiscard]] std::string check_of(const Error& error);

/// What can be computed here, by what was found.
struct Verdict {
  std::vector<std::string> native;           // "cuda:0 NVIDIA H200: fp8, bf16"
  std::vector<std::string> other_precision;  // runs, but in other numbers than asked
  std::vector<std::string> impossible;
};
[[nodiscard]] Verdict verdict(const Subject& subject, const std::vector<Finding>& findings);

/// 0 all well, 1 warnings, 2 failures.
[[nodiscard]] int exit_code(const std::vector<Finding>& findings);

[[nodiscard]] std::vector<std::string> check_ids();
/// What the check looks at, why it matters, when it blocks; Error(kInvalidArgument) for an unknown
/// id.
[[nodiscard]] std::string explain(const std::string& id);

}  // namespace octet::doctor
