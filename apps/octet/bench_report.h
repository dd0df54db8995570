// What a measurement says: a table for people, one JSON object for programs.
//
// Thread-safety: pure functions. Errors: none.
#pragma once

#include <string>
#include <vector>

#include "bench_options.h"
#include "gpu_monitor.h"
#include "octet/profile.h"

namespace octet::cli {

/// One counted run.
struct BenchRound {
  StageSeconds stages;
  double encode = 0;  // pictures to PNG bytes
  double total = 0;   // prompt to PNG bytes
};

struct BenchBatch {
  int batch = 1;
  UsedSettings used;
  std::vector<BenchRound> rounds;
  Profile work;  // counted, not timed
  std::size_t activation_bytes = 0;
  std::size_t device_peak_bytes = 0;  // 0: not known
};

struct BenchReport {
  const BenchOptions& options;
  const ModelInfo& model;
  std::vector<BenchBatch> batches;
  GpuReading gpu;  // at the end; empty without a GPU
  Profile ops;     // of --ops
};

[[nodiscard]] double median(std::vector<double> values);
/// FLOPs of a stage, all steps.
[[nodiscard]] double stage_flops(const Profile& work, const std::string& stage);
/// Rate of a row as a part of what the device reaches on such work; 0 where that is not known.
[[nodiscard]] double part_of_ceiling(const OpRow& row, const Ceilings& ceilings);

[[nodiscard]] std::string bench_text(const BenchReport& report);
[[nodiscard]] std::string bench_json(const BenchReport& report);

}  // namespace octet::cli
