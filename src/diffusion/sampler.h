// Samplers: how a latent moves from one noise level to the next.
//
// A sampler is a pure function from a row's position (sigmas) to three coefficients:
//   x_next = x * c.x + v * c.v + x0_previous * c.previous,   x0 = x - sigma * v,
// with x the latent, v the (guided) prediction of the network and x0_previous the x0 of the row's
// step before. Every row of a batch has its own Row, so rows may differ in sigmas, sampler and
// step and may join or leave between steps. The coefficients go straight into
// ops::linear_combination:
//   next_x0 = 1 * x + (-sigma) * v              -> the buffer for history, when the sampler uses it
//   x       = c.x * x + c.v * v + c.previous * x0_previous
//   swap(next_x0, x0_previous)
// On the first step c.previous = 0: x0_previous must hold finite values, zeros say.
//
// To add a sampler: one function and one row in sampler.cc; the row feeds the command line's help
// and a convergence test. Thread-safety: values. Errors: Error(kInvalidArgument) from
// find_sampler, kInternal for misuse.
#pragma once

#include <span>
#include <string_view>
#include <vector>

namespace octet {

struct StepPosition {
  float sigma = 1;       // where the row is
  float sigma_next = 0;  // where it goes; 0 on its last step
  float sigma_last = 0;  // where it was a step earlier; 0 when this is its first step
};

struct StepCoefficients {
  float x = 1, v = 0, previous = 0;
};

struct SamplerEntry {
  const char* name;
  StepCoefficients (*step)(const StepPosition&);
  bool uses_history;
  double order;  // of convergence in the step size
  const char* help;
};

/// All samplers, the default first.
[[nodiscard]] std::span<const SamplerEntry> samplers();
/// The sampler of that name; the error lists the known ones.
[[nodiscard]] const SamplerEntry& find_sampler(std::string_view name);

/// One latent on its way. Falling sigmas, at least two, the last one usually 0.
class Row {
 public:
  Row(const SamplerEntry& sampler, std::vector<float> sigmas);

  [[nodiscard]] int step() const { return step_; }  // from 0
  [[nodiscard]] int steps() const { return static_cast<int>(sigmas_.size()) - 1; }
  [[nodiscard]] bool done() const { return step_ >= steps(); }
  [[nodiscard]] bool uses_history() const { return sampler_->uses_history; }
  /// Noise level before the coming step; the final one when done.
  [[nodiscard]] float sigma() const { return sigmas_[static_cast<std::size_t>(step_)]; }
  /// What the network is given: 1000 * sigma, in FP32.
  [[nodiscard]] float timestep() const { return sigma() * 1000.0f; }

  /// Coefficients of the coming step. kInternal when done.
  [[nodiscard]] StepCoefficients coefficients() const;
  /// Declares the step done.
  void advance();

 private:
  const SamplerEntry* sampler_;
  std::vector<float> sigmas_;
  int step_ = 0;
};

}  // namespace octet
