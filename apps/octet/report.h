// What a finished run says: lines for people on standard error, one JSON object for programs.
//
// Thread-safety: pure functions. Errors: none of their own.
#pragma once

#include <string>
#include <vector>

#include "generate_options.h"
#include "octet/engine.h"
#include "output_files.h"

namespace octet::cli {

struct RunReport {
  const GenerateOptions& options;
  const ModelInfo& model;
  const GenerateResult& result;
  const OutputPlan& outputs;
  double encode_seconds = 0;  // from the last picture's pixels to written files
  double total_seconds = 0;   // of the whole process
  std::vector<std::string> warnings;
};

/// "model emoji (fp8, built-in) on cpu: ..." and one line for each component's numbers.
[[nodiscard]] std::vector<std::string> model_lines(const ModelInfo& model);

/// "out.png  seed 42  2.31 s" for every picture; the time of the whole run stands on the last.
[[nodiscard]] std::vector<std::string> picture_lines(const RunReport& report);

/// The object of --json, with a line end.
[[nodiscard]] std::string json_report(const RunReport& report);

/// Largest resident memory of this process so far, in bytes; 0 where the system does not tell.
[[nodiscard]] std::size_t peak_resident_bytes();

}  // namespace octet::cli
