#include "diffusion/guidance.h"

#include <gtest/gtest.h>

#include <limits>

#include "octet/error.h"

namespace octet {
namespace {

std::vector<int> active_steps(const Guidance& guidance, int steps) {
  std::vector<int> active;
  for (int i = 0; i < steps; ++i) {
    if (guidance.uses_skipped(i)) active.push_back(i);
  }
  return active;
}

GuidanceOptions skipping() { return {.scale = 4.5, .skip_layers = {9, 7, 8, 7}}; }

TEST(Guidance, SkipWindowIsThatOfDiffusers) {
  EXPECT_EQ(active_steps(Guidance(skipping(), 24, 28), 28), (std::vector{1, 2, 3, 4, 5}));
  EXPECT_EQ(active_steps(Guidance(skipping(), 24, 40), 40), (std::vector{1, 2, 3, 4, 5, 6, 7}));
  EXPECT_EQ(active_steps(Guidance(skipping(), 24, 50), 50),
            (std::vector{1, 2, 3, 4, 5, 6, 7, 8, 9}));
  EXPECT_TRUE(active_steps(Guidance(skipping(), 24, 5), 5).empty());  // 0.05 < i < 1
  GuidanceOptions narrow = skipping();  // the same fractions as FP32 values
  narrow.skip_start = 0.01f;
  narrow.skip_end = 0.2f;
  EXPECT_EQ(active_steps(Guidance(narrow, 24, 40), 40), (std::vector{1, 2, 3, 4, 5, 6, 7}));
  GuidanceOptions wide = skipping();
  wide.skip_start = 0.5;
  wide.skip_end = 1.0;
  EXPECT_EQ(active_steps(Guidance(wide, 24, 6), 6), (std::vector{4, 5}));
}

TEST(Guidance, CoefficientsAreTheEquation) {
  const Guidance guidance(skipping(), 24, 28);
  const double u = 0.3, c = -1.2, s = 0.9;
  const GuidanceCoefficients in = guidance.coefficients(3), out = guidance.coefficients(10);
  EXPECT_NEAR(in.uncond * u + in.cond * c + in.skipped * s, u + 4.5 * (c - u) + 2.8 * (c - s),
              1e-6);
  EXPECT_NEAR(out.uncond * u + out.cond * c, u + 4.5 * (c - u), 1e-6);
  EXPECT_EQ(out.skipped, 0.0f);
  EXPECT_TRUE(guidance.uses_skipped());
  EXPECT_EQ(std::vector<int>(guidance.skip_layers().begin(), guidance.skip_layers().end()),
            (std::vector{7, 8, 9}));
}

TEST(Guidance, OffAtOneAndBelow) {
  for (const double scale : {0.0, 0.5, 1.0}) {
    GuidanceOptions options = skipping();
    options.scale = scale;
    const Guidance guidance(options, 24, 28);
    EXPECT_FALSE(guidance.uses_uncond());
    EXPECT_FALSE(guidance.uses_skipped());
    const GuidanceCoefficients c = guidance.coefficients(3);
    EXPECT_EQ(c.uncond, 0.0f);
    EXPECT_EQ(c.cond, 1.0f);
    EXPECT_EQ(c.skipped, 0.0f);
  }
  EXPECT_TRUE(Guidance({.scale = 1.01}, 24, 28).uses_uncond());
  EXPECT_FALSE(Guidance({.scale = 7}, 24, 28).uses_skipped());
}

void expect_invalid(GuidanceOptions options, const char* part) {
  try {
    const Guidance guidance(options, 24, 28);
    ADD_FAILURE() << "no error naming " << part;
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::kInvalidArgument);
    EXPECT_NE(std::string(e.what()).find(part), std::string::npos) << e.what();
  }
}

TEST(Guidance, BadOptionsAreNamed) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinite = std::numeric_limits<double>::infinity();
  for (const double bad : {-1.0, nan, infinite}) {
    expect_invalid({.scale = bad}, "guidance");
    expect_invalid({.skip_scale = bad}, "skip-scale");
    expect_invalid({.skip_start = bad}, "skip-start");
    expect_invalid({.skip_end = bad}, "skip-end");
  }
  expect_invalid({.skip_layers = {3, 24}}, "skip-layers: expected blocks 0..23, found 24");
  expect_invalid({.skip_layers = {-1, 3}}, "found -1");
}

}  // namespace
}  // namespace octet
