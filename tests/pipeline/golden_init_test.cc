// Image to image and inpainting against diffusers' SD3 pipelines (tests/golden/init_cases.py).
#include <gtest/gtest.h>

#include "golden/init_cases.h"
#include "pipeline/golden_model.h"
#include "pipeline/init_picture.h"

namespace octet::test {
namespace {

constexpr double kEncodedTolerance = 1e-5;
constexpr double kLatentTolerance = 1e-3;

struct Arch {
  const char* name;
  std::optional<std::string> variant;
};

class InitGolden : public ::testing::TestWithParam<Arch> {
 protected:
  static GenerateRequest request(const GoldenModel& model, double strength, bool masked) {
    GenerateRequest r = model.request();
    r.steps = 20;
    r.strength = strength;
    r.init = init_picture();
    if (masked) r.mask = init_mask();
    return r;
  }
  [[nodiscard]] double difference(const FloatArray& found, const std::string& name) const {
    return relative_l2(found.values, golden_.get(name).values);
  }
  GoldenModel model_{GetParam().name, "f32", GetParam().variant};
  GoldenTensors golden_{golden_folder(GetParam().name) + "/init.safetensors"};
};

TEST_P(InitGolden, ImageToImage) {
  const auto dumps = model_.run(request(model_, 0.6, false));
  EXPECT_LE(difference(dumps.at("init_latents"), "init_latents"), kEncodedTolerance);
  EXPECT_LE(difference(dumps.at("latents"), "img2img.latents"), kLatentTolerance);
}

TEST_P(InitGolden, Inpainting) {
  const auto dumps = model_.run(request(model_, 0.75, true));
  EXPECT_LE(difference(dumps.at("latents"), "inpaint.latents"), kLatentTolerance);
}

INSTANTIATE_TEST_SUITE_P(Architectures, InitGolden,
                         ::testing::Values(Arch{"sd3-medium", {}}, Arch{"sd35-medium", {}},
                                           Arch{"sd35-large", "fp16"}),
                         [](const auto& param_info) {
                           std::string name = param_info.param.name;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

class InitGoldenMedium : public InitGolden {};

// From pure noise, which is then drawn after the numbers that the encoding took.
TEST_P(InitGoldenMedium, InpaintingAtFullStrengthWithoutGuidance) {
  GenerateRequest full = request(model_, 1.0, true);
  full.guidance = 1.0f;
  EXPECT_LE(difference(model_.run(full).at("latents"), "inpaint_full.latents"), kLatentTolerance);
}

INSTANTIATE_TEST_SUITE_P(Only, InitGoldenMedium, ::testing::Values(Arch{"sd3-medium", {}}));

class InitGoldenLarge : public InitGolden {};

TEST_P(InitGoldenLarge, EveryPictureOfABatchHasItsOwnGenerator) {
  GenerateRequest batch = request(model_, 0.35, false);
  batch.batch = 2;
  EXPECT_LE(difference(model_.run(batch).at("latents"), "batch.latents"), kLatentTolerance);
}

INSTANTIATE_TEST_SUITE_P(Only, InitGoldenLarge, ::testing::Values(Arch{"sd35-large", "fp16"}));

// What the mask keeps is the encoded picture, to the bit, in every compute type; what it gives to
// the model is near what FP32 draws (found: 8e-7, 4e-3, 3e-2, 3e-2; the weights of `fp8` are FP8).
TEST(InitCompute, KeepsAndDrawsInEveryComputeType) {
  const GoldenTensors golden(golden_folder("sd35-large") + "/init.safetensors");
  const std::vector<float> expected = golden.get("inpaint.latents").values;
  const struct {
    const char* compute;
    const char* variant;
    double tolerance;
  } cases[] = {
      {"f32", "fp16", 1e-3}, {"bf16", "fp16", 1e-2}, {"w8a16", "fp8", 6e-2}, {"fp8", "fp8", 8e-2}};
  for (const auto& c : cases) {
    const GoldenModel model("sd35-large", c.compute, c.variant);
    GenerateRequest r = model.request();
    r.steps = 20;
    r.strength = 0.75;
    r.init = init_picture();
    r.mask = init_mask();
    const auto dumps = model.run(r);
    const std::vector<float> drawn = latent_mask(*r.mask, *r.width, *r.height, 8);
    const std::vector<float>& z = dumps.at("init_latents").values;
    const std::vector<float>& latents = dumps.at("latents").values;
    std::size_t kept = 0, differ = 0;
    for (std::size_t i = 0; i < latents.size(); ++i) {
      if (drawn[i % drawn.size()] != 0.0f) continue;
      ++kept;
      differ += latents[i] == z[i] ? 0 : 1;
    }
    EXPECT_EQ(differ, 0u) << c.compute;
    EXPECT_GT(kept, latents.size() / 4);
    EXPECT_LT(kept, latents.size());
    const double found = relative_l2(latents, expected);
    EXPECT_LE(found, c.tolerance) << c.compute;
  }
}

}  // namespace
}  // namespace octet::test
