// A quantisation without a model, for the tests of the command line.
//
// The name of the model says what happens: "good" passes, "bad" breaks two limits, "slow" takes
// 20 ms a step, "missing" cannot be opened. The file is written as the real one is: unless a limit
// is broken and that was not accepted.

#include <chrono>
#include <iostream>
#include <thread>

#include "base/atomic_file.h"
#include "base/format.h"
#include "octet/error.h"
#include "octet/quantize.h"

namespace octet {
namespace {

void run_stage(const QuantizeHooks& hooks, QuantizeStage stage, int total, int pause) {
  for (int step = 1; step <= total; ++step) {
    std::this_thread::sleep_for(std::chrono::milliseconds(pause));
    if (pause > 0 && step == 1) std::cerr << "now working" << std::endl;
    if (!hooks.progress({stage, step, total, 0.01 * step})) {
      throw Error(Code::kCancelled, "interrupted");
    }
  }
}

}  // namespace

const char* name_of(QuantizeStage stage) {
  return stage == QuantizeStage::kCalibrate ? "calibrating" : "judging";
}

QuantizeReport quantize(const QuantizeOptions& o, const QuantizeHooks& hooks) {
  if (o.model == "missing") throw Error(Code::kIo, "missing: cannot open");
  const int pause = o.model == "slow" ? 20 : 0;
  run_stage(hooks, QuantizeStage::kCalibrate, o.calibration_steps.value_or(20), pause);
  run_stage(hooks, QuantizeStage::kJudge, o.gate_steps.value_or(20), pause);
  QuantizeReport r;
  r.layers = {{.name = "transformer_blocks.0.ff.net.2", .quantised = true, .input_scale = 0.25f}};
  for (const std::string& prompt : o.holdout) r.pictures.push_back({.prompt = prompt});
  if (o.model == "bad") r.failures = {"PSNR: expected at least 28, found 3", "SSIM: low"};
  r.kept_blocks = {35};
  r.json = format(R"({"calibration": %zu, "held_out": %zu, "psnr": %g, "row": %d, "comfy": %d,)"
                  R"( "modulation": %d, "percentile": %g, "candidate": "%s", "seed": %llu})",
                  o.calibration.size(), o.holdout.size(), o.limits.psnr,
                  o.weight_scale == WeightScale::kRow, o.layout == Fp8Layout::kComfyUi,
                  o.modulation_fp8, o.percentile.value_or(0), o.candidate.c_str(),
                  static_cast<unsigned long long>(o.seed));
  if (o.candidate.empty() && (r.failures.empty() || o.accept_quality_loss)) {
    r.file = o.out;
    write_file_atomically(o.out, std::as_bytes(std::span(r.json)));
    r.written = true;
  }
  return r;
}

}  // namespace octet
