// Sigma tables against digests of diffusers 0.36's scheduler and of ComfyUI's formulas in torch.
#include "diffusion/schedule.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/sha256.h"
#include "octet/error.h"
#include "support/errors.h"

namespace octet {
namespace {

std::string digest(const std::vector<float>& values) {
  return sha256_hex(std::as_bytes(std::span(values))).substr(0, 16);
}

std::vector<float> sigmas(const char* name, int steps, double shift) {
  return make_sigmas(find_schedule(name), steps, shift);
}

struct Expected {
  double shift;
  int steps;
  const char* sha256;
};

TEST(Schedule, NormalIsBitEqualToDiffusers) {
  constexpr Expected kExpected[] = {
      {3, 1, "434b26042aff3fb8"},      {3, 2, "bc4eb1a67f4acf64"},
      {3, 4, "495beead6e027245"},      {3, 20, "288c54b117a84f76"},
      {3, 28, "aaca3c374d8d6dc6"},     {3, 40, "051669473cd17df7"},
      {3, 50, "891c2cbf1793b399"},     {3, 333, "2bab42b124f512cc"},
      {3, 1000, "4204a0c08fa31d32"},   {1, 4, "4208be3dfbe2f8bd"},
      {1, 50, "f4b7e739b3946790"},     {1, 1000, "befcbff425d43902"},
      {1.5, 4, "c1601e474c46b1bd"},    {1.5, 28, "3e03ab7502d7f617"},
      {1.5, 333, "3fdd12fed9391e92"},  {6.3, 4, "225d74f75485d61b"},
      {6.3, 40, "29e9cf8479fee98c"},   {6.3, 333, "408f48490f100dcc"},
      {6.3, 1000, "f2c5081819e7d4ef"},
  };
  for (const Expected& e : kExpected) {
    EXPECT_EQ(digest(sigmas("normal", e.steps, e.shift)), e.sha256) << e.shift << " " << e.steps;
  }
}

TEST(Schedule, SimpleIsBitEqualToComfyUi) {
  constexpr Expected kExpected[] = {
      {3, 1, "434b26042aff3fb8"},     {3, 4, "ae852dcd5bfdeae8"},  {3, 7, "d03db9d10e648b51"},
      {3, 20, "8e7a9648e373fd1b"},    {3, 28, "5653a8481f2e28c9"}, {3, 333, "d9f12c05940d41b2"},
      {3, 1000, "bee9ee4f1168794d"},  {1, 28, "d26479963f390e49"}, {1.5, 7, "0dce4e626d136820"},
      {1.5, 333, "fe609a6c70b41a77"},
  };
  for (const Expected& e : kExpected) {
    EXPECT_EQ(digest(sigmas("simple", e.steps, e.shift)), e.sha256) << e.shift << " " << e.steps;
  }
}

void expect_near(const std::vector<float>& found, const std::vector<double>& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], 6e-7) << i;
}

TEST(Schedule, PublishedTables) {
  expect_near(sigmas("normal", 4, 3), {1.0, 0.857692301, 0.602150559, 0.00892857183, 0});
  expect_near(sigmas("normal", 8, 3), {1.0, 0.947542667, 0.882787823, 0.800836921, 0.693793,
                                       0.548046, 0.337972, 0.008928572, 0});
  expect_near(sigmas("simple", 4, 3), {1.0, 0.9, 0.75, 0.5, 0});
  expect_near(sigmas("sgm_uniform", 4, 3), {1.0, 0.900359035, 0.751121104, 0.50298506, 0});
  expect_near(sigmas("sgm_uniform", 4, 1), {1.0, 0.75025, 0.5005, 0.25075, 0});
}

TEST(Schedule, EveryScheduleFallsFromOneToZero) {
  for (const ScheduleEntry& schedule : schedules()) {
    for (const double shift : {kMinShift, 0.5, 1.0, 3.0, 7.3, kMaxShift}) {
      for (const int steps : {1, 2, 3, 7, 28, 999, 1000, kMaxScheduleSteps}) {
        const std::vector<float> s = make_sigmas(schedule, steps, shift);
        ASSERT_EQ(s.size(), static_cast<std::size_t>(steps) + 1);
        EXPECT_NEAR(s.front(), 1.0f, 1e-5);
        EXPECT_EQ(s.back(), 0.0f);
        for (std::size_t i = 1; i < s.size(); ++i) ASSERT_LE(s[i], s[i - 1]) << schedule.name;
        ASSERT_GT(s[s.size() - 2], 0.0f);
      }
    }
  }
}

// Less than one step is an error of the request, not a run that returns its noise.
TEST(Schedule, AStrengthForNoStepIsRefused) {
  for (const StrengthRule rule : {StrengthRule::kDiffusers, StrengthRule::kReference}) {
    test::expect_error(
        Code::kInvalidArgument, "strength: expected enough for one of 28 steps",
        [&] { (void)make_partial_sigmas(find_schedule("normal"), 28, 3.0, rule, 1e-18); });
  }
}

TEST(Schedule, PartialRunsStartWhereOtherProgramsStart) {
  const ScheduleEntry& normal = find_schedule("normal");
  struct Case {
    StrengthRule rule;
    int steps;
    double strength;
    std::size_t run;  // steps that are executed
    int built;
  };
  constexpr Case kCases[] = {
      {StrengthRule::kReference, 40, 0.8, 33, 40},  // starts at 7: FP64 gives 7.99..
      {StrengthRule::kReference, 50, 0.8, 41, 50},  // 9
      {StrengthRule::kReference, 40, 0.9, 37, 40},  // 3
      {StrengthRule::kReference, 50, 0.9, 46, 50},  // 4
      {StrengthRule::kDiffusers, 50, 0.6, 30, 50},  // 20
      {StrengthRule::kDiffusers, 28, 0.6, 17, 28},  // 28 - 16.8 = 11.2
      {StrengthRule::kDiffusers, 10, 0.01, 1, 10}, {StrengthRule::kDiffusers, 28, 1.0, 28, 28},
      {StrengthRule::kComfyUi, 20, 0.6, 20, 33},   {StrengthRule::kComfyUi, 20, 1.0, 20, 20},
  };
  for (const Case& c : kCases) {
    const auto part = make_partial_sigmas(normal, c.steps, 3.0, c.rule, c.strength);
    const auto full = make_sigmas(normal, c.built, 3.0);
    ASSERT_EQ(part.size(), c.run + 1) << c.steps << " " << c.strength;
    EXPECT_TRUE(std::equal(part.rbegin(), part.rend(), full.rbegin()));
  }
}

template <typename F>
void expect_invalid(F f, const char* part) {
  try {
    f();
    ADD_FAILURE() << "no error naming " << part;
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::kInvalidArgument);
    EXPECT_NE(std::string(e.what()).find(part), std::string::npos) << e.what();
  }
}

TEST(Schedule, BadArgumentsAreNamed) {
  const ScheduleEntry& s = find_schedule("simple");
  const double nan = std::numeric_limits<double>::quiet_NaN();
  expect_invalid([&] { return make_sigmas(s, 0, 3); }, "steps: expected 1..");
  expect_invalid([&] { return make_sigmas(s, -5, 3); }, "found -5");
  expect_invalid([&] { return make_sigmas(s, 1000000000, 3); }, "steps");
  for (const double shift : {0.0, -1.0, 1e9, nan}) {
    expect_invalid([&] { return make_sigmas(s, 4, shift); }, "shift");
  }
  for (const double strength : {0.0, -1.0, 1.1, nan}) {
    expect_invalid([&] { return make_partial_sigmas(s, 4, 3, StrengthRule::kDiffusers, strength); },
                   "strength");
  }
  expect_invalid([&] { return make_partial_sigmas(s, 4, 3, StrengthRule::kComfyUi, 1e-300); },
                 "strength");
  expect_invalid([&] { return find_schedule("karras"); }, "normal, simple, sgm_uniform");
}

}  // namespace
}  // namespace octet
