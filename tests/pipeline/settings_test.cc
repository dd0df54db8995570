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

InitPicture picture(int width, int height) {
  const auto bytes = static_cast<std::size_t>(width * height * 3);
  return {.width = width, .height = height, .rgb = std::vector<std::uint8_t>(bytes)};
}

TEST_F(Settings, TheSizeIsThatOfTheInitPicture) {
  const UsedSettings s = resolve({.init = picture(87, 24)});
  EXPECT_EQ(s.width, 80);
  EXPECT_EQ(s.height, 32) << "the nearest multiple of 16";
  EXPECT_EQ(resolve({.init = picture(3, 3)}).width, 16);
  const UsedSettings given = resolve({.width = 64, .init = picture(87, 24)});
  EXPECT_EQ(given.width, 64);
  EXPECT_EQ(given.height, 32);
  refused("init: expected a width of at most 112, or a request with width and height, found 120",
          {.init = picture(120, 9)});
  EXPECT_EQ(resolve({.width = 112, .init = picture(120, 9)}).height, 16);
}

TEST_F(Settings, StrengthChoosesTheSteps) {
  const auto run = [](double strength, Compat compat = Compat::kDiffusers) {
    return resolve({.steps = 20, .compat = compat, .init = picture(48, 32), .strength = strength});
  };
  EXPECT_EQ(resolve({.steps = 20}).run_steps, 20);
  EXPECT_EQ(resolve({.steps = 20}).strength, 0);
  EXPECT_EQ(resolve({.init = picture(48, 32)}).strength, 0.6);
  EXPECT_EQ(run(0.35).run_steps, 7);
  EXPECT_EQ(run(0.35).skipped_steps, 13);
  EXPECT_EQ(run(1.0).run_steps, 20);
  const UsedSettings comfy = run(0.5, Compat::kComfyUi);
  EXPECT_EQ(comfy.run_steps, 20);
  EXPECT_EQ(comfy.skipped_steps, 20);
  EXPECT_EQ(run_sigmas(comfy, Compat::kComfyUi).size(), 21u);
}

TEST_F(Settings, InitPictures) {
  for (const double bad : {0.0, -0.5, 1.0000001, std::nan("")}) {
    refused("strength: expected above 0 and at most 1, found",
            {.init = picture(48, 32), .strength = bad});
  }
  refused("strength: expected an init picture as well, found none", {.strength = 0.5});
  refused("mask: expected an init picture as well, found none",
          {.mask = InitMask{.width = 1, .height = 1, .values = {0}}});
  InitPicture short_of_one = picture(48, 32);
  short_of_one.rgb.pop_back();
  refused("init: expected sides of 1..16384 and 3 bytes a pixel, found 48x32 and 4607 bytes",
          {.init = short_of_one});
  refused("init: expected sides", {.init = InitPicture{}});
  refused("init: expected sides", {.init = InitPicture{.width = -1, .height = -1, .rgb = {}}});
  refused("mask: expected sides", {.init = picture(48, 32), .mask = InitMask{}});
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
