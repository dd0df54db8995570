// The stress run with a clock and a GPU that are made up: each fault is seen, and only it.
#include "doctor/stress.h"

#include <gtest/gtest.h>

#include "octet/error.h"

namespace octet::doctor {
namespace {

StressRound good() {
  return {.step_seconds = 0.1,
          .memory = 900,
          .gpu = GpuReading{.uncorrected = 2, .celsius = 60, .throttle = 0x4}};  // power cap: usual
}

/// 20 rounds of one second each; `change` makes round `i` what it is to be.
std::vector<Finding> run(const std::function<void(int, StressRound&)>& change,
                         std::uint64_t planned = 800) {
  double clock = 50;
  int rounds = 0;
  const StressPlan plan{
      .seconds = 20,
      .memory = {.what = "all of it", .planned = planned, .most = 1000, .rule = "so it is"},
      .now = [&] { return clock; }};
  return run_stress(
      plan,
      [&] {
        StressRound r = good();
        change(rounds++, r);
        clock += 1;
        return r;
      },
      [](const StressRound&) {});
}

/// The only finding that is not ok, or one without words.
Finding only_problem(const std::vector<Finding>& all) {
  Finding found;
  int problems = 0;
  for (const Finding& f : all) {
    EXPECT_EQ(f.id, "stress");
    EXPECT_EQ(f.remedy.empty(), f.level == Level::kOk) << f.says;
    if (f.level == Level::kOk) continue;
    ++problems;
    found = f;
  }
  EXPECT_LE(problems, 1);
  return found;
}

void expect_problem(const std::vector<Finding>& all, Level level, const std::string& words) {
  const Finding f = only_problem(all);
  EXPECT_EQ(f.level, level) << f.says;
  EXPECT_NE(f.says.find(words), std::string::npos) << f.says;
}

TEST(Stress, AGoodRunIsWell) {
  const auto all = run([](int, StressRound&) {});
  EXPECT_EQ(only_problem(all).says, "");
  EXPECT_EQ(all.front().says, "20 rounds, all numbers finite");
  EXPECT_EQ(exit_code(all), 0);
}

TEST(Stress, DriftIsSeenFromFifteenPercent) {
  const auto slower = [](double factor) {
    return [factor](int i, StressRound& r) {
      if (i > 10) r.step_seconds *= factor;
    };
  };
  expect_problem(run(slower(1.16)), Level::kWarning, "+16.0 %");
  EXPECT_EQ(exit_code(run(slower(1.14))), 0);
  // The round that warms up is no baseline, and one slow round no drift.
  EXPECT_EQ(exit_code(run([](int i, StressRound& r) { r.step_seconds *= i == 0 ? 9 : 1; })), 0);
  EXPECT_EQ(exit_code(run([](int i, StressRound& r) { r.step_seconds *= i == 19 ? 9 : 1; })), 0);
}

TEST(Stress, MemoryAboveThePlan) {
  expect_problem(
      run([](int i, StressRound& r) { r.memory = i == 7 ? 1001 : 5; }), Level::kWarning,
      "memory: peak 0.000 GB, all of it; planned 0.000 GB, at most 0.000 GB is well: so");
  EXPECT_EQ(exit_code(run([](int, StressRound& r) { r.memory = 1000; })), 0);
}

TEST(Stress, WithoutAPlanItIsSaidThatNoneIsCompared) {
  const auto all = run([](int, StressRound& r) { r.memory = 9000; }, 0);
  EXPECT_EQ(exit_code(all), 0);
  EXPECT_EQ(all[2].says, "memory: peak 0.000 GB, all of it; not compared: so it is");
}

TEST(Stress, AGpuThatCanNoLongerBeRead) {
  expect_problem(run([](int i, StressRound& r) {
                   if (i > 12) r.gpu.reset();
                 }),
                 Level::kWarning, "could not be read after 7 of 20 rounds");
  // The one that comes late has a baseline of its own.
  expect_problem(run([](int i, StressRound& r) {
                   if (i == 0) r.gpu.reset();
                 }),
                 Level::kWarning, "could not be read after 1 of 20 rounds");
}

TEST(Stress, NewErrorsOfMemory) {
  expect_problem(run([](int i, StressRound& r) {
                   if (i == 5) r.gpu->uncorrected = 3;
                 }),
                 Level::kFailure, "rose from 2 to 3");
}

TEST(Stress, ThrottledByHeat) {
  expect_problem(run([](int i, StressRound& r) {
                   if (i == 5) r.gpu->throttle = 0x20, r.gpu->celsius = 91;
                 }),
                 Level::kWarning, "91 degrees");
}

TEST(Stress, NotFiniteEndsTheRun) {
  const auto all = run([](int i, StressRound&) {
    if (i == 8) throw Error(Code::kModelMismatch, "denoising, step 1: not finite");
  });
  expect_problem(all, Level::kFailure, "round 9 failed: denoising, step 1: not finite");
  EXPECT_EQ(exit_code(all), 2);
}

TEST(Stress, WhatIsNotWatchedIsSaid) {
  const auto all = run([](int, StressRound& r) { r.memory = 0, r.gpu.reset(); });
  int said = 0;
  for (const Finding& f : all) said += f.says.find("not watched") != std::string::npos ? 1 : 0;
  EXPECT_EQ(said, 2);
}

}  // namespace
}  // namespace octet::doctor
