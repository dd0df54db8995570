// Samplers on an equation with a known solution, and against a direct FP64 implementation.
#include "diffusion/sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "diffusion/schedule.h"
#include "octet/error.h"

namespace octet {
namespace {

// Data of one dimension with normal distribution: the exact velocity, and the exact path.
constexpr double kMean = 0.7, kDeviation = 0.4;

double variance(double s) { return s * s + (1 - s) * (1 - s) * kDeviation * kDeviation; }
double velocity(double x, double s) {
  const double centred = (x - (1 - s) * kMean) / variance(s);
  return s * centred - (kMean + (1 - s) * kDeviation * kDeviation * centred);
}
double exact(double z, double s) { return (1 - s) * kMean + std::sqrt(variance(s)) * z; }

// Runs a row the way the pipeline does, with FP64 state so that only the coefficients round.
double run(Row row, double x) {
  double previous = 0;
  while (!row.done()) {
    const StepCoefficients c = row.coefficients();
    const double v = velocity(x, row.sigma());
    const double x0 = x - row.sigma() * v;
    x = c.x * x + c.v * v + c.previous * previous;
    previous = x0;
    row.advance();
  }
  return x;
}

double error_at(const SamplerEntry& sampler, int steps) {
  std::vector<float> sigmas;
  for (int i = 0; i <= steps; ++i) {
    sigmas.push_back(static_cast<float>(std::pow(0.05, static_cast<double>(i) / steps)));
  }
  return std::abs(run(Row(sampler, sigmas), exact(1.3, 1.0)) - exact(1.3, sigmas.back()));
}

TEST(Sampler, EveryOneConvergesAtItsOrder) {
  for (const SamplerEntry& sampler : samplers()) {
    const double coarse = error_at(sampler, 40), fine = error_at(sampler, 80);
    EXPECT_GT(fine, 1e-6) << sampler.name << ": too close to rounding to tell";
    EXPECT_NEAR(std::log2(coarse / fine), sampler.order, 0.25) << sampler.name;
  }
}

TEST(Sampler, EveryOneReachesTheDataOnEverySchedule) {
  for (const SamplerEntry& sampler : samplers()) {
    for (const ScheduleEntry& schedule : schedules()) {
      const Row row(sampler, make_sigmas(schedule, 200, 3.0));
      EXPECT_NEAR(run(row, exact(-0.8, 1.0)), exact(-0.8, 0.0), 0.01)
          << sampler.name << " " << schedule.name;
    }
  }
}

// The published recursion, written down directly.
std::vector<double> dpmpp_2m_direct(std::vector<float> sigmas, double x) {
  std::vector<double> path;
  double old = 0;
  for (std::size_t i = 0; i + 1 < sigmas.size(); ++i) {
    const double s = sigmas[i], next = sigmas[i + 1];
    const double x0 = x - s * velocity(x, s);
    double d = x0;
    if (i > 0 && next > 0) {
      const double h = std::log(s) - std::log(next);
      const double r = (std::log(static_cast<double>(sigmas[i - 1])) - std::log(s)) / h;
      d = (1 + 1 / (2 * r)) * x0 - 1 / (2 * r) * old;
    }
    x = next == 0 ? d : next / s * x - std::expm1(std::log(next) - std::log(s)) * d;
    old = x0;
    path.push_back(x);
  }
  return path;
}

TEST(Sampler, Dpmpp2mFollowsThePublishedRecursion) {
  for (const int steps : {1, 2, 3, 12, 28, 50}) {
    const std::vector<float> sigmas = make_sigmas(schedules()[0], steps, 3.0);
    const std::vector<double> expected = dpmpp_2m_direct(sigmas, 1.7);
    Row row(find_sampler("dpmpp_2m"), sigmas);
    double x = 1.7, previous = 0;
    for (const double target : expected) {
      const StepCoefficients c = row.coefficients();
      const double v = velocity(x, row.sigma()), x0 = x - row.sigma() * v;
      x = c.x * x + c.v * v + c.previous * previous;
      previous = x0;
      row.advance();
      EXPECT_NEAR(x, target, 2e-6) << steps << " steps, at " << row.step();
    }
    EXPECT_TRUE(row.done());
  }
}

TEST(Sampler, Dpmpp2mStartsAndEndsAsEuler) {
  const std::vector<float> sigmas = make_sigmas(schedules()[0], 9, 3.0);
  Row euler(find_sampler("euler"), sigmas), dpm(find_sampler("dpmpp_2m"), sigmas);
  for (; !euler.done(); euler.advance(), dpm.advance()) {
    const StepCoefficients a = euler.coefficients(), b = dpm.coefficients();
    const bool end = euler.step() == 0 || euler.step() == 8;
    EXPECT_EQ(a.v == b.v && a.x == b.x && b.previous == 0.0f, end) << euler.step();
    EXPECT_EQ(a.v, sigmas[static_cast<std::size_t>(euler.step()) + 1] - euler.sigma());
  }
}

TEST(Sampler, EqualSigmasDoNotDivideByZero) {
  for (const SamplerEntry& sampler : samplers()) {
    for (Row row(sampler, {1.0f, 1.0f, 0.5f, 0.5f, 0.25f, 0.0f}); !row.done(); row.advance()) {
      const StepCoefficients c = row.coefficients();
      EXPECT_TRUE(std::isfinite(c.x) && std::isfinite(c.v) && std::isfinite(c.previous));
    }
  }
}

TEST(Sampler, Misuse) {
  EXPECT_THROW((void)find_sampler("ddim"), Error);
  EXPECT_THROW(Row(samplers()[0], {1.0f}), Error);
  EXPECT_THROW(Row(samplers()[0], {0.5f, 1.0f}), Error);
  Row row(samplers()[0], {1.0f, 0.0f});
  row.advance();
  EXPECT_THROW(row.advance(), Error);
  EXPECT_THROW((void)row.coefficients(), Error);
}

}  // namespace
}  // namespace octet
