// Where the time of a request goes: work counted per stage, and a table of its ops.
//
// Plain values. Times come from the device, taken around every op of a real run; ceilings are
// measured on the same device just before. See src/backend/profile for what counts as work.
#pragma once

#include <string>
#include <vector>

namespace octet {

/// All calls of equal work in one stage.
struct OpRow {
  std::string stage;    // "text", "modulation", "denoise", "decode"
  std::string op;       // "linear"
  std::string shape;    // "8192x9728 k2432 -> f8_e4m3 +act"
  std::string numbers;  // "fp8", "bf16", "f32": units of the product; empty for ops bound by memory
  int calls = 0;
  double seconds = 0;  // of all calls
  double flops = 0;    // of all calls
  double bytes = 0;    // of all calls
};

/// Best rates that this device reaches on simple work of large size.
struct Ceilings {
  double copy_bytes_per_second = 0;  // read + written
  double f32_flops_per_second = 0;   // one large product each; 0: not measured
  double bf16_flops_per_second = 0;
  double fp8_flops_per_second = 0;
};

struct Profile {
  std::vector<OpRow> rows;  // longest first when timed, else in order of first call
  int steps = 0;            // denoising steps that `rows` hold
  Ceilings ceilings;        // zeros when not timed
};

}  // namespace octet
