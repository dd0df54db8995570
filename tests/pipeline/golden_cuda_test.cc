// The goldens of diffusers on the GPU, in every compute type. Skipped where no GPU is usable.
#include <gtest/gtest.h>

#include "backend/cuda/cuda_backend.h"
#include "engine/embedded.h"
#include "golden/init_cases.h"
#include "octet/error.h"
#include "pipeline/golden_forward.h"

// Keeps the built-in model out of a program that is carried to other machines.
std::span<const octet::EmbeddedModel> octet::embedded_models() { return {}; }

namespace octet::test {
namespace {

struct Case {
  const char* name;
  const char* arch;
  std::optional<std::string> variant;
  const char* compute;
  const char* wanted;  // tensor of the golden file
  double forward;      // relative L2 of one forward
  double latents;      // of the latents after all steps; 0: not compared
};

// FP32 differs by the order of sums. BF16 keeps 8 significant bits in every stream, and the E4M3
// rounding of inputs alone moves a forward by 2.9e-2 (see golden_test.cc).
const Case kCases[] = {
    {"medium3_f32", "sd3-medium", {}, "f32", "mmdit.out", 2e-5, 1e-3},
    {"medium35_f32", "sd35-medium", {}, "f32", "mmdit.out", 2e-5, 1e-3},
    {"large_f32", "sd35-large", "fp16", "f32", "mmdit.out", 2e-5, 1e-3},
    {"medium3_bf16", "sd3-medium", {}, "bf16", "mmdit.out", 2e-2, 5e-2},
    {"medium35_bf16", "sd35-medium", {}, "bf16", "mmdit.out", 2e-2, 5e-2},
    {"large_bf16", "sd35-large", "fp16", "bf16", "mmdit.out", 2e-2, 5e-2},
    {"large_fp8_f32", "sd35-large", "fp8", "f32", "mmdit.out.fp8_weights", 2e-5, 0},
    {"large_w8a16", "sd35-large", "fp8", "w8a16", "mmdit.out.fp8_weights", 2e-2, 0},
    {"large_fp8", "sd35-large", "fp8", "fp8", "mmdit.out.fp8_weights", 5e-2, 0},
};

class GoldenCuda : public ::testing::TestWithParam<Case> {};

// Null, with the reason in `reason`, where no GPU is usable.
std::unique_ptr<Backend> make_device(std::string& reason) {
  try {
    return make_cuda_backend();
  } catch (const Error& e) {
    reason = e.what();
    return nullptr;
  }
}

TEST_P(GoldenCuda, Matches) {
  const Case& c = GetParam();
  std::string reason;
  std::unique_ptr<Backend> device = make_device(reason);
  if (!device) GTEST_SKIP() << reason;
  const GoldenModel model(c.arch, c.compute, c.variant, std::move(device));
  const double error = relative_l2(forward(model, {}), model.tensors.get(c.wanted).values);
  std::printf("%s: one forward %.3g", c.name, error);
  EXPECT_LE(error, c.forward);
  if (c.latents > 0) {
    const auto dumps = model.run(model.request());
    const auto distance = [&](const char* name) {
      return relative_l2(dumps.at(name).values, model.tensors.get(name).values);
    };
    std::printf(", text %.3g, pooled %.3g, latents %.3g, image %.3g", distance("prompt_embeds"),
                distance("pooled_prompt_embeds"), distance("latents"), distance("image"));
    EXPECT_EQ(dumps.at("noise").values, model.tensors.get("noise").values);
    EXPECT_LE(distance("prompt_embeds"), c.forward);
    EXPECT_LE(distance("pooled_prompt_embeds"), c.forward);
    EXPECT_LE(distance("latents"), c.latents);
    EXPECT_LE(distance("image"), c.latents);
  }
  std::printf("\n");
}

INSTANTIATE_TEST_SUITE_P(Computes, GoldenCuda, ::testing::ValuesIn(kCases),
                         [](const auto& param_info) { return std::string(param_info.param.name); });

// Everything else that diffusers was asked for: one change to the request or the model each.
struct Variation {
  const char* name;  // the golden is "<name>.latents", of init.safetensors where a picture is given
  const char* arch;
  std::optional<std::string> variant;
  void (*change)(GoldenModel& model, GenerateRequest& request);
};

void start_from_picture(GenerateRequest& request, double strength, bool masked) {
  request.steps = 20;
  request.strength = strength;
  request.init = init_picture();
  if (masked) request.mask = init_mask();
}

const Variation kVariations[] = {
    {"no_guidance", "sd3-medium", {}, [](GoldenModel&, GenerateRequest& r) { r.guidance = 1.0f; }},
    {"no_t5",
     "sd3-medium",
     {},
     [](GoldenModel& m, GenerateRequest&) { m.loaded.models.text.t5.reset(); }},
    {"skip_layers",
     "sd35-medium",
     {},
     [](GoldenModel& m, GenerateRequest& r) {
       const auto& skip = m.meta["skip_layers"];
       r.skip_layers = skip["layers"].get<std::vector<int>>();
       r.skip_scale = skip["scale"];
       r.skip_start = skip["start"];
       r.skip_end = skip["stop"];
     }},
    {"batch", "sd35-large", "fp16", [](GoldenModel&, GenerateRequest& r) { r.batch = 2; }},
    {"dpmpp_2m", "sd35-large", "fp16",
     [](GoldenModel&, GenerateRequest& r) { r.sampler = "dpmpp_2m"; }},
    {"img2img",
     "sd35-medium",
     {},
     [](GoldenModel&, GenerateRequest& r) { start_from_picture(r, 0.6, false); }},
    {"inpaint", "sd35-large", "fp16",
     [](GoldenModel&, GenerateRequest& r) { start_from_picture(r, 0.75, true); }},
    {"inpaint_full",
     "sd3-medium",
     {},
     [](GoldenModel&, GenerateRequest& r) {
       start_from_picture(r, 1.0, true);
       r.guidance = 1.0f;
     }},
};

class VariationCuda : public ::testing::TestWithParam<std::tuple<Variation, const char*>> {};

TEST_P(VariationCuda, Matches) {
  const auto& [c, compute] = GetParam();
  std::string reason;
  std::unique_ptr<Backend> device = make_device(reason);
  if (!device) GTEST_SKIP() << reason;
  GoldenModel model(c.arch, compute, c.variant, std::move(device));
  GenerateRequest request = model.request();
  c.change(model, request);
  const GoldenTensors golden(golden_folder(c.arch) +
                             (request.init ? "/init.safetensors" : "/golden.safetensors"));
  const double error = relative_l2(model.run(request).at("latents").values,
                                   golden.get(std::string(c.name) + ".latents").values);
  std::printf("%s, %s: latents %.3g\n", c.name, compute, error);
  EXPECT_LE(error, compute == std::string("f32") ? 1e-3 : 5e-2);
}

INSTANTIATE_TEST_SUITE_P(Requests, VariationCuda,
                         ::testing::Combine(::testing::ValuesIn(kVariations),
                                            ::testing::Values("f32", "bf16")),
                         [](const auto& param_info) {
                           return std::string(std::get<0>(param_info.param).name) + "_" +
                                  std::get<1>(param_info.param);
                         });

class EncoderCuda : public ::testing::TestWithParam<Case> {};

TEST_P(EncoderCuda, Matches) {
  const Case& c = GetParam();
  std::string reason;
  std::unique_ptr<Backend> device = make_device(reason);
  if (!device) GTEST_SKIP() << reason;
  const GoldenModel model(c.arch, c.compute, c.variant, std::move(device));
  const double error = relative_l2(encode(model), model.tensors.get("vae.encode.moments").values);
  std::printf("%s: moments %.3g\n", c.name, error);
  EXPECT_LE(error, c.forward);
}

INSTANTIATE_TEST_SUITE_P(Computes, EncoderCuda,
                         ::testing::ValuesIn(std::begin(kCases), std::begin(kCases) + 6),
                         [](const auto& param_info) { return std::string(param_info.param.name); });

}  // namespace
}  // namespace octet::test
