// A quantisation's report as JSON: what --json prints and what the file's metadata holds.
//
// No times, no paths, no prompts: the same source and options give the same bytes.
#pragma once

#include "octet/quantize.h"

namespace octet {

/// What was decided before the run and is part of the report.
struct RunSettings {
  int calibration_steps = 0, gate_steps = 0;  // 0: not run
  int width = 0, height = 0;
  std::string calibration_digest, holdout_digest;  // SHA-256 over the prompts, one a line
};

[[nodiscard]] std::string report_json(const QuantizeOptions& options, const RunSettings& settings,
                                      const QuantizeReport& report);

}  // namespace octet
