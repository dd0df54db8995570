// Guidance: how up to three predictions of the network become the one that is followed.
//
//   out = u + g (c - u) + k (c - s)
// u: with the negative prompt, c: with the prompt, s: with the prompt and some blocks skipped
// (skip-layer guidance, 3.5 Medium). Classifier-free guidance (arXiv 2207.12598) is off when
// g <= 1, as in diffusers; skip-layer guidance needs it on and acts at the steps i with
// steps * skip_start < i < steps * skip_end. The map is linear, so the sampler needs to know
// nothing of it: the coefficients go into ops::linear_combination.
//
// Ownership, thread-safety: values. Errors: Error(kInvalidArgument) naming the option.
#pragma once

#include <span>
#include <vector>

namespace octet {

struct GuidanceOptions {
  double scale = 7.0;            // g
  std::vector<int> skip_layers;  // blocks to skip; empty: no skip-layer guidance
  double skip_scale = 2.8;       // k
  double skip_start = 0.01;      // as fractions of the steps
  double skip_end = 0.20;
  int first_step = 0;  // where in its schedule a run begins that leaves out the first steps
};

/// out = uncond * u + cond * c + skipped * s. A coefficient of 0 means: not computed, and its
/// tensor must hold finite values.
struct GuidanceCoefficients {
  float uncond = 0, cond = 1, skipped = 0;
};

class Guidance {
 public:
  /// `blocks` is the number of transformer blocks, `steps` that of the whole schedule.
  Guidance(GuidanceOptions options, int blocks, int steps);

  /// The prediction with the negative prompt is needed (at every step or never).
  [[nodiscard]] bool uses_uncond() const { return options_.scale > 1.0; }
  /// The prediction with skipped blocks is needed at this step of the run, counted from 0.
  [[nodiscard]] bool uses_skipped(int step) const;
  /// It is needed at some step.
  [[nodiscard]] bool uses_skipped() const;
  [[nodiscard]] GuidanceCoefficients coefficients(int step) const;
  /// Blocks to skip, rising, each once.
  [[nodiscard]] std::span<const int> skip_layers() const { return options_.skip_layers; }

 private:
  GuidanceOptions options_;
  int steps_;
};

}  // namespace octet
