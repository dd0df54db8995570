#include "pipeline/settings.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>

#include "backend/null/null_backend.h"
#include "support/errors.h"
#include "support/tiny_pipeline.h"

namespace octet {
namespace {

using test::expect_error;

// Side of the picture: patch 2, VAE factor 8, position table of 7: multiples of 16 up to 112.
class Settings : public testing::Test {
 protected:
  static const Models& models() {
    static const auto backend = make_null_backend({});
    static const Models m = test::tiny_pipeline(*backend, {});
    return m;
  }
  static UsedSettings resolve(const GenerateRequest& request) {
    return resolve_settings(request, models());
  }
  static void refused(const std::string& message, const GenerateRequest& request) {
    expect_error(Code::kInvalidArgument, message, [&] { (void)resolve(request); });
  }
};

TEST_F(Settings, DefaultsComeFromTheModel) {
  const UsedSettings s = resolve({});
  EXPECT_EQ(s.steps, 3);
  EXPECT_EQ(s.guidance, 4.5f);
  EXPECT_EQ(s.shift, 3.0f);
  EXPECT_EQ(s.width, 48);
  EXPECT_EQ(s.height, 32);
  EXPECT_EQ(s.t5_length, 19);
  EXPECT_EQ(s.sampler, "euler");
  EXPECT_EQ(s.schedule, "normal");
  EXPECT_FLOAT_EQ(s.skip_scale, 2.8f);
  EXPECT_FLOAT_EQ(s.skip_start, 0.01f);
  EXPECT_FLOAT_EQ(s.skip_end, 0.2f);
}

TEST_F(Settings, RequestWins) {
  const UsedSettings s = resolve({.steps = 1000,
                                  .guidance = 0.0f,
                                  .shift = 1.0f,
                                  .seed = ~std::uint64_t{0},
                                  .width = 112,
                                  .height = 16,
                                  .sampler = "dpmpp_2m",
                                  .skip_scale = 1.0f,
                                  .skip_start = 0.5f,
                                  .skip_end = 1.0f,
                                  .t5_length = 512});
  EXPECT_EQ(s.steps, 1000);
  EXPECT_EQ(s.guidance, 0);
  EXPECT_EQ(s.shift, 1);
  EXPECT_EQ(s.seed, ~std::uint64_t{0});
  EXPECT_EQ(s.width, 112);
  EXPECT_EQ(s.height, 16);
  EXPECT_EQ(s.sampler, "dpmpp_2m");
  EXPECT_EQ(s.skip_end, 1.0f);
  EXPECT_EQ(s.t5_length, 512);
}

TEST_F(Settings, Steps) {
  refused("steps: expected 1..1000, found 0", {.steps = 0});
  refused("steps: expected 1..1000, found -3", {.steps = -3});
  refused("steps: expected 1..1000, found 1001", {.steps = 1001});
}

TEST_F(Settings, Sides) {
  for (const int bad : {0, 8, 15, 17, 40, 113, 128, -16, std::numeric_limits<int>::max(),
                        std::numeric_limits<int>::min()}) {
    const std::string rest = ": expected a multiple of 16 from 16 to 112, found ";
    refused("width" + rest + std::to_string(bad), {.width = bad});
    refused("height" + rest + std::to_string(bad), {.height = bad});
  }
}

TEST_F(Settings, RealNumbers) {
  const float inf = std::numeric_limits<float>::infinity();
  for (const float bad : {-0.5f, 100.5f, inf, -inf, std::nanf("")}) {
    refused("guidance: expected 0..100, found ", {.guidance = bad});
    refused("skip scale: expected 0..100, found ", {.skip_scale = bad});
    refused("skip start: expected 0..1, found ", {.skip_start = bad});
    refused("skip end: expected 0..1, found ", {.skip_end = bad});
    refused("shift: expected 0.1..100, found ", {.shift = bad});
  }
  refused("shift: expected 0.1..100, found 0", {.shift = 0.0f});
  EXPECT_NO_THROW((void)resolve({.shift = 100.0f}));
}

TEST_F(Settings, Names) {
  refused("found 'heun'", {.sampler = "heun"});
  refused("sampler", {.sampler = ""});
  refused("schedule", {.schedule = "EULER"});
}

TEST_F(Settings, CountsAndLengths) {
  refused("batch: expected 1..64, found 0", {.batch = 0});
  refused("batch: expected 1..64, found 65", {.batch = 65});
  refused("t5 length: expected 1..512, found 0", {.t5_length = 0});
  refused("t5 length: expected 1..512, found 513", {.t5_length = 513});
  EXPECT_EQ(resolve({.compat = Compat::kComfyUi}).t5_length, 77);
  EXPECT_EQ(resolve({.compat = Compat::kReference}).t5_length, 77);
  EXPECT_EQ(resolve({.t5_length = 33, .compat = Compat::kComfyUi}).t5_length, 33);
}

TEST_F(Settings, WithoutT5RowsTheLengthIsZero) {
  const auto backend = make_null_backend({});
  const Models without = test::tiny_pipeline(*backend, {.t5 = false});
  EXPECT_EQ(resolve_settings({.compat = Compat::kComfyUi}, without).t5_length, 0);
  EXPECT_EQ(resolve_settings({}, without).t5_length, 19) << "rows of zeros stand in";
}

TEST_F(Settings, FreshSeedsDiffer) {
  std::set<std::uint64_t> seeds;
  for (int i = 0; i < 8; ++i) seeds.insert(resolve({}).seed);
  EXPECT_GT(seeds.size(), 6u);
  EXPECT_EQ(resolve({.seed = 0}).seed, 0u);
}

TEST_F(Settings, Noise) {
  const auto noise = [](std::vector<std::int64_t> dims, std::size_t values) {
    return FloatArray{.dims = std::move(dims), .values = std::vector<float>(values)};
  };
  EXPECT_NO_THROW((void)resolve({.batch = 2, .noise = noise({2, 5, 4, 6}, 240)}));
  refused("noise: expected shape [1, 5, 4, 6], found [2, 5, 4, 6]",
          {.noise = noise({2, 5, 4, 6}, 240)});
  refused("noise: expected shape", {.noise = noise({1, 5, 4, 6}, 119)});
  refused("noise: expected shape", {.noise = noise({}, 0)});
  refused("noise: expected shape", {.noise = noise({1, 5, 6, 4}, 120)});
  FloatArray bad = noise({1, 5, 4, 6}, 120);
  bad.values[7] = std::nanf("");
  refused("noise: expected finite", {.noise = bad});
}

}  // namespace
}  // namespace octet
