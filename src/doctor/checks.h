// The rows of doctor's table and the functions behind them, one file per subject.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "doctor/doctor.h"
#include "octet/error.h"

namespace octet::doctor {

/// kFast: at a start; must take well below a millisecond, or do what the start does anyway.
enum class Depth : std::uint8_t { kFast, kFull };

/// Which part of a start runs the check.
enum class Start : std::uint8_t { kNever, kHost, kDevice };

struct Result {
  Level level = Level::kOk;
  std::string says;
  std::string remedy;
  std::optional<Code> code = {};  // of a start that it blocks, where it is not the check's
};
using Results = std::vector<Result>;

struct Check {
  const char* id;
  const char* looks_at;  // continues "Looks at"
  const char* matters;   // sentences: what breaks without it
  Level worst;
  Code code;  // of a start that it blocks
  Start start;
  Results (*run)(const Subject& subject, Depth depth);
};

[[nodiscard]] Results ok(const std::string& says);
[[nodiscard]] Results warning(const std::string& says, const std::string& remedy);
[[nodiscard]] Results failure(const std::string& says, const std::string& remedy);

/// The GPU that is asked for by number; nothing with auto and cpu.
[[nodiscard]] std::optional<int> asked_gpu(const Subject& subject);
/// The lock has a check of its own, and may take long.
[[nodiscard]] EngineOptions without_lock(EngineOptions options);
/// Threads and processes that can still be started, by starting some.
[[nodiscard]] Result process_limit(const Subject& subject);
/// What is wrong with a GPU is a failure for who asks for it and a warning for who would take it.
[[nodiscard]] Result gpu_problem(const Subject& subject, const std::string& says,
                                 const std::string& remedy);

Results check_cpu(const Subject& subject, Depth depth);
Results check_glibc(const Subject& subject, Depth depth);
Results check_proc(const Subject& subject, Depth depth);
Results check_seccomp(const Subject& subject, Depth depth);
Results check_limits(const Subject& subject, Depth depth);
Results check_cpu_quota(const Subject& subject, Depth depth);
Results check_clock(const Subject& subject, Depth depth);

Results check_memory(const Subject& subject, Depth depth);
Results check_shared_memory(const Subject& subject, Depth depth);

Results check_output(const Subject& subject, Depth depth);
Results check_cache(const Subject& subject, Depth depth);
Results check_disk_speed(const Subject& subject, Depth depth);

Results check_model(const Subject& subject, Depth depth);
Results check_lock(const Subject& subject, Depth depth);

Results check_port(const Subject& subject, Depth depth);
Results check_key_file(const Subject& subject, Depth depth);

Results check_device_nodes(const Subject& subject, Depth depth);
Results check_driver(const Subject& subject, Depth depth);
Results check_driver_version(const Subject& subject, Depth depth);
Results check_driver_match(const Subject& subject, Depth depth);

Results check_gpu(const Subject& subject, Depth depth);
Results check_gpu_fp8(const Subject& subject, Depth depth);
Results check_gpu_code(const Subject& subject, Depth depth);

Results check_cublaslt(const Subject& subject, Depth depth);
Results check_cudnn(const Subject& subject, Depth depth);
Results check_nccl(const Subject& subject, Depth depth);
Results check_one_copy(const Subject& subject, Depth depth);

Results check_gpu_memory(const Subject& subject, Depth depth);
Results check_gpu_health(const Subject& subject, Depth depth);

}  // namespace octet::doctor
