#include "diffusion/sampler.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "base/check.h"

namespace octet {
namespace {

// x += (sigma_next - sigma) * v, the difference in FP32 as in diffusers.
StepCoefficients euler(const StepPosition& p) { return {1.0f, p.sigma_next - p.sigma, 0.0f}; }

// DPM-Solver++(2M) (arXiv 2211.01095) on flow sigmas, spaced in t = -ln(sigma):
//   h = ln(sigma/sigma_next), r = h_last/h, D = (1 + 1/(2r)) x0 - 1/(2r) x0_previous,
//   x_next = (sigma_next/sigma) x + (1 - sigma_next/sigma) D.
// Without history, and to sigma 0 where t is infinite, D = x0, which is the Euler step exactly.
StepCoefficients dpmpp_2m(const StepPosition& p) {
  if (p.sigma_last <= p.sigma || p.sigma_next <= 0 || p.sigma_next >= p.sigma) return euler(p);
  const double h = std::log(static_cast<double>(p.sigma) / p.sigma_next);
  const double h_last = std::log(static_cast<double>(p.sigma_last) / p.sigma);
  const double extra = h / (2.0 * h_last);
  const double ratio = static_cast<double>(p.sigma_next) / p.sigma;
  const double current = (1.0 - ratio) * (1.0 + extra);  // weight of x0 = x - sigma v
  return {static_cast<float>(ratio + current), static_cast<float>(-current * p.sigma),
          static_cast<float>(-(1.0 - ratio) * extra)};
}

constexpr SamplerEntry kSamplers[] = {
    {"euler", euler, false, 1.0, "first order, one straight step at a time (default)"},
    {"dpmpp_2m", dpmpp_2m, true, 2.0, "second order, uses the step before; good at 20 to 50 steps"},
};

}  // namespace

std::span<const SamplerEntry> samplers() { return kSamplers; }

const SamplerEntry& find_sampler(std::string_view name) {
  std::string known;
  for (const SamplerEntry& entry : kSamplers) {
    if (name == entry.name) return entry;
    known += known.empty() ? "" : ", ";
    known += entry.name;
  }
  throw Error(Code::kInvalidArgument, format("sampler: expected one of %s, found '%s'",
                                             known.c_str(), excerpt(std::string(name)).c_str()));
}

Row::Row(const SamplerEntry& sampler, std::vector<float> sigmas)
    : sampler_(&sampler), sigmas_(std::move(sigmas)) {
  OCTET_CHECK(sigmas_.size() >= 2, "a row needs two sigmas, found %zu", sigmas_.size());
  OCTET_CHECK(std::is_sorted(sigmas_.rbegin(), sigmas_.rend()), "sigmas must not rise");
}

StepCoefficients Row::coefficients() const {
  OCTET_CHECK(!done(), "a row of %d steps has no step %d", steps(), step_);
  const auto i = static_cast<std::size_t>(step_);
  return sampler_->step({.sigma = sigmas_[i],
                         .sigma_next = sigmas_[i + 1],
                         .sigma_last = step_ > 0 ? sigmas_[i - 1] : 0.0f});
}

void Row::advance() {
  OCTET_CHECK(!done(), "a row of %d steps is done", steps());
  ++step_;
}

}  // namespace octet
