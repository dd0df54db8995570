// The pipeline on a recording null backend (what runs, memory, hooks) and on the CPU (bytes).
#include "pipeline/generate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "backend/cpu/cpu_backend.h"
#include "diffusion/rng.h"
#include "golden/init_cases.h"
#include "pipeline/settings.h"
#include "support/errors.h"
#include "support/recording_backend.h"
#include "support/tiny_pipeline.h"

namespace octet {
namespace {

using test::expect_error;
using test::Family;
using test::PipelineSpec;

// A run in an arena of exactly the planned size.
GenerateResult run(Backend& backend, const Models& models, const GenerateRequest& request,
                   const GenerateHooks& hooks = {}) {
  const UsedSettings settings = resolve_settings(request, models);
  const std::size_t planned =
      plan_activations(models, request, settings, backend.stream_dtype(Compute::kBF16));
  Arena arena(backend.allocate(planned));
  GenerateResult result = run_pipeline({backend, arena}, models, request, settings, hooks);
  EXPECT_EQ(result.activation_peak_bytes, planned);
  return result;
}

// ---- what runs -----------------------------------------------------------------------------

class OnNull : public testing::Test {
 protected:
  OnNull() : models_(test::tiny_pipeline(backend_, {})) {}
  /// Batch rows of every call of the network.
  std::vector<std::int64_t> network_calls(const GenerateRequest& request) {
    const UsedSettings settings = resolve_settings(request, models_);
    Arena arena(backend_.allocate(kNullArenaBytes));
    backend_.clear();
    (void)run_pipeline({backend_, arena}, models_, request, settings, {});
    std::vector<std::int64_t> rows;
    for (const test::OpRecord& r : backend_.ops()) {
      if (r.op == "unpatchify") rows.push_back(r.dst.dim(0));
    }
    return rows;
  }
  /// Batch rows of every call of a text encoder in the last run.
  std::vector<std::int64_t> prompts_encoded() const {
    std::vector<std::int64_t> rows;
    for (const test::OpRecord& r : backend_.ops()) {
      if (r.op == "embed_tokens") rows.push_back(r.dst.dim(0));
    }
    return rows;
  }
  test::RecordingBackend backend_;
  Models models_;
};

using Rows = std::vector<std::int64_t>;

TEST_F(OnNull, GuidanceRunsBothBranchesInOneBatch) {
  EXPECT_EQ(network_calls({.steps = 3, .guidance = 4.0f}), (Rows{2, 2, 2}));
  EXPECT_EQ(network_calls({.steps = 2, .guidance = 4.0f, .batch = 3}), (Rows{6, 6}));
}

TEST_F(OnNull, WithoutGuidanceTheNegativePromptIsNotTouched) {
  for (const float guidance : {0.0f, 1.0f}) {
    EXPECT_EQ(network_calls({.steps = 3, .guidance = guidance}), (Rows{1, 1, 1}));
    EXPECT_EQ(prompts_encoded(), (Rows{1, 1, 1})) << "CLIP-L, CLIP-G, T5";
  }
  (void)network_calls({.steps = 3, .guidance = 1.5f});
  EXPECT_EQ(prompts_encoded(), (Rows{2, 2, 2})) << "both prompts in one pass over the weights";
}

TEST_F(OnNull, PromptsOfUnequalLengthAreEncodedOneAfterTheOther) {
  std::string prompt;
  for (int i = 0; i < 120; ++i) prompt += "apple ";
  (void)network_calls({.prompt = prompt, .steps = 1, .compat = Compat::kComfyUi});
  const Rows rows = prompts_encoded();
  EXPECT_GE(rows.size(), 8u) << "chunks of each CLIP and T5, then one each";
  EXPECT_EQ(rows, Rows(rows.size(), 1));
}

TEST_F(OnNull, TextsOfUnequalLengthRunOneAfterTheOther) {
  std::string prompt;
  for (int i = 0; i < 120; ++i) prompt += "apple ";
  EXPECT_EQ(network_calls({.prompt = prompt, .steps = 2, .batch = 3, .compat = Compat::kComfyUi}),
            (Rows{3, 3, 3, 3}));
}

TEST_F(OnNull, SkipLayerGuidanceActsInItsWindow) {
  // steps * 0.2 < i < steps * 0.7: steps 1..4 of 0..6 lie inside (1.4, 4.9) from 2 on.
  EXPECT_EQ(network_calls({.steps = 7, .skip_layers = {0}, .skip_start = 0.2f, .skip_end = 0.7f}),
            (Rows{2, 2, 2, 1, 2, 1, 2, 1, 2, 2}));
  EXPECT_EQ(network_calls({.steps = 3, .guidance = 1.0f, .skip_layers = {0}, .skip_end = 1.0f}),
            (Rows{1, 1, 1}))
      << "needs guidance";
  for (const int layer : {-1, 2}) {
    expect_error(Code::kInvalidArgument, "skip",
                 [&] { (void)network_calls({.skip_layers = {layer}}); });
  }
}

TEST_F(OnNull, OneByteLessIsOutOfMemory) {
  const GenerateRequest request{.prompt = "x", .seed = 1};
  const UsedSettings settings = resolve_settings(request, models_);
  const std::size_t planned = plan_activations(models_, request, settings, DType::kF32);
  EXPECT_GT(planned, 0u);
  Arena exact(backend_.allocate(planned));
  EXPECT_NO_THROW((void)run_pipeline({backend_, exact}, models_, request, settings, {}));
  Arena less(backend_.allocate(planned - 1));
  expect_error(Code::kOutOfMemory, "activations", [&] {
    (void)run_pipeline({backend_, less}, models_, request, settings, {});
  });
}

TEST_F(OnNull, CancelStopsWithinOneStep) {
  for (int stop_at = 0; stop_at < 8; ++stop_at) {
    int calls = 0;
    GenerateHooks hooks;
    hooks.progress = [&](const Progress&) { return ++calls <= stop_at; };
    const GenerateRequest request{.steps = 5, .seed = 1};
    backend_.clear();
    expect_error(Code::kCancelled, "interrupted",
                 [&] { (void)run(backend_, models_, request, hooks); });
    EXPECT_EQ(calls, stop_at + 1) << "a hook that said stop is not called again";
    EXPECT_EQ(backend_.count("unpatchify"), static_cast<std::size_t>(std::clamp(stop_at - 1, 0, 5)))
        << "text and modulation report before the first step";
  }
}

// The window is one of the whole schedule: a run that begins behind it never skips.
TEST_F(OnNull, SkipLayerGuidanceCountsFromTheBeginningOfTheSchedule) {
  GenerateRequest request{.steps = 10,
                          .guidance = 4.0f,
                          .skip_layers = {0},
                          .skip_end = 0.5f,
                          .init = test::init_picture(48, 32),
                          .strength = 0.7};
  // Steps 3 and 4 are inside: three rows instead of two.
  EXPECT_EQ(network_calls(request), (Rows{2, 1, 2, 1, 2, 2, 2, 2, 2}));
  request.strength = 0.5;
  EXPECT_EQ(network_calls(request), (Rows{2, 2, 2, 2, 2}));
}

TEST_F(OnNull, ProgressTellsEveryStage) {
  std::vector<std::string> seen;
  GenerateHooks hooks;
  hooks.progress = [&](const Progress& p) {
    EXPECT_GE(p.seconds, 0);
    seen.push_back(std::to_string(static_cast<int>(p.stage)) + ":" + std::to_string(p.step) + "/" +
                   std::to_string(p.steps));
    return true;
  };
  (void)run(backend_, models_, {.steps = 2, .seed = 1}, hooks);
  EXPECT_EQ(seen, (std::vector<std::string>{"1:1/1", "2:1/1", "3:1/2", "3:2/2", "4:1/1"}));
  seen.clear();
  (void)run(backend_, models_,
            {.steps = 4, .seed = 1, .init = test::init_picture(48, 32), .strength = 0.3}, hooks);
  EXPECT_EQ(seen, (std::vector<std::string>{"0:1/1", "1:1/1", "2:1/1", "3:1/2", "3:2/2", "4:1/1"}));
}

TEST_F(OnNull, PicturesAreHandedOverOneByOneWhereTheyStay) {
  std::vector<const Picture*> seen;
  std::vector<std::uint64_t> seeds;
  GenerateHooks hooks;
  hooks.picture = [&](const Picture& picture, const UsedSettings& used) {
    EXPECT_EQ(picture.rgb.size(), static_cast<std::size_t>(3 * used.width * used.height));
    seen.push_back(&picture);
    seeds.push_back(picture.seed);
  };
  const GenerateResult result = run(backend_, models_, {.steps = 1, .seed = 7, .batch = 3}, hooks);
  EXPECT_EQ(seeds, (std::vector<std::uint64_t>{7, 8, 9}));
  ASSERT_EQ(seen.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(seen[i], &result.pictures[i]);
}

// ---- memory --------------------------------------------------------------------------------

class EveryFamily : public testing::TestWithParam<Family> {};
INSTANTIATE_TEST_SUITE_P(Pipeline, EveryFamily,
                         testing::Values(Family::kSd3Medium, Family::kSd35Medium,
                                         Family::kSd35Large));

TEST_P(EveryFamily, PlanEqualsThePeakOnTheCpu) {
  for (const Compute compute : {Compute::kF32, Compute::kFP8}) {
    const auto cpu = make_cpu_backend({.threads = 2});
    const Models models = test::tiny_pipeline(
        *cpu, {.family = GetParam(), .fp8 = compute == Compute::kFP8, .compute = compute});
    const GenerateRequest requests[] = {
        {.prompt = "a", .steps = 1, .width = 16, .height = 16},
        {.prompt = "a", .steps = 2, .guidance = 1.0f, .width = 48, .height = 16, .batch = 3},
        {.prompt = "a",
         .steps = 3,
         .width = 16,
         .height = 64,
         .batch = 2,
         .sampler = "dpmpp_2m",
         .skip_layers = {1},
         .skip_end = 1.0f,
         .t5_length = 5},
    };
    for (const GenerateRequest& request : requests) (void)run(*cpu, models, request);
  }
}

// ---- bytes ---------------------------------------------------------------------------------

std::vector<Picture> pictures(int threads, const PipelineSpec& spec,
                              const GenerateRequest& request) {
  const auto cpu = make_cpu_backend({.threads = threads});
  const Models models = test::tiny_pipeline(*cpu, spec);
  return run(*cpu, models, request).pictures;
}

const PipelineSpec kSpecs[] = {
    {.family = Family::kSd3Medium},
    {.family = Family::kSd35Medium, .compute = Compute::kBF16},
    {.family = Family::kSd35Large, .fp8 = true, .compute = Compute::kW8A16},
    {.family = Family::kSd35Large, .fp8 = true, .compute = Compute::kFP8},
};

class SameBytes : public testing::TestWithParam<PipelineSpec> {};
INSTANTIATE_TEST_SUITE_P(Pipeline, SameBytes, testing::ValuesIn(kSpecs));

TEST_P(SameBytes, ForEveryThreadCount) {
  const GenerateRequest request{.prompt = "a red apple", .seed = 77, .width = 48, .height = 32};
  const auto one = pictures(1, GetParam(), request);
  for (const int threads : {2, 3}) {
    EXPECT_EQ(pictures(threads, GetParam(), request)[0].rgb, one[0].rgb) << threads;
  }
  GenerateRequest other = request;
  other.seed = 78;
  EXPECT_NE(pictures(1, GetParam(), other)[0].rgb, one[0].rgb);
}

TEST_P(SameBytes, AloneAndInABatch) {
  const auto cpu = make_cpu_backend({.threads = 2});
  const Models models = test::tiny_pipeline(*cpu, GetParam());
  GenerateRequest request{.prompt = "two cats", .seed = 1000, .width = 32, .height = 48};
  request.batch = 3;
  const auto together = run(*cpu, models, request).pictures;
  ASSERT_EQ(together.size(), 3u);
  request.batch = 1;
  for (std::uint64_t i = 0; i < 3; ++i) {
    request.seed = 1000 + i;
    const auto alone = run(*cpu, models, request).pictures;
    EXPECT_EQ(alone[0].rgb, together[i].rgb) << i;
    EXPECT_EQ(together[i].seed, 1000 + i);
  }
}

class OnCpu : public testing::Test {
 protected:
  OnCpu() : cpu_(make_cpu_backend({.threads = 2})), models_(test::tiny_pipeline(*cpu_, {})) {}
  std::map<std::string, FloatArray> dumps(const GenerateRequest& request) {
    std::map<std::string, FloatArray> out;
    GenerateHooks hooks;
    hooks.dump = [&](const std::string& name, FloatArray value) { out[name] = std::move(value); };
    (void)run(*cpu_, models_, request, hooks);
    return out;
  }
  std::unique_ptr<Backend> cpu_;
  Models models_;
};

TEST_F(OnCpu, DumpsEveryStage) {
  const auto d = dumps({.prompt = "x", .steps = 2, .seed = 9, .batch = 2, .dump_steps = true});
  std::vector<std::string> names;
  for (const auto& [name, value] : d) names.push_back(name);
  EXPECT_EQ(names,
            (std::vector<std::string>{"image", "latents", "latents.0", "latents.1",
                                      "negative_pooled_prompt_embeds", "negative_prompt_embeds",
                                      "noise", "pooled_prompt_embeds", "prompt_embeds"}));
  EXPECT_EQ(d.at("prompt_embeds").dims, (std::vector<std::int64_t>{1, 96, 72}));
  EXPECT_EQ(d.at("pooled_prompt_embeds").dims, (std::vector<std::int64_t>{1, 56}));
  EXPECT_EQ(d.at("noise").dims, (std::vector<std::int64_t>{2, 5, 4, 6}));
  EXPECT_EQ(d.at("image").dims, (std::vector<std::int64_t>{2, 3, 32, 48}));
  EXPECT_EQ(d.at("latents.1").values, d.at("latents").values);
  EXPECT_NE(d.at("latents.0").values, d.at("latents").values);
  for (const float v : d.at("image").values) ASSERT_TRUE(v >= 0 && v <= 1);
  std::vector<float> second(120);
  torch_randn(10, second);
  EXPECT_TRUE(std::equal(second.begin(), second.end(), d.at("noise").values.begin() + 120))
      << "image i uses seed + i";
}

TEST_F(OnCpu, GivenNoiseReplacesTheSeeds) {
  const GenerateRequest seeded{.prompt = "x", .seed = 3};
  const auto first = dumps(seeded);
  GenerateRequest given{.prompt = "x", .seed = 4, .noise = first.at("noise")};
  EXPECT_EQ(dumps(given).at("image").values, first.at("image").values);
}

InitMask mask_of(std::vector<std::uint8_t> values, int width) {
  return {.width = width, .height = static_cast<int>(values.size()) / width, .values = values};
}

// Nothing kept is image to image, everything kept is the encoded picture, whatever the sampler.
TEST_F(OnCpu, AMaskChoosesBetweenThePictureAndTheDrawing) {
  for (const char* sampler : {"euler", "dpmpp_2m"}) {
    GenerateRequest request{.prompt = "x",
                            .steps = 5,
                            .seed = 3,
                            .batch = 2,
                            .sampler = sampler,
                            .init = test::init_picture(48, 32),
                            .strength = 0.8};
    const auto plain = dumps(request);
    request.mask = mask_of({128}, 1);
    EXPECT_EQ(dumps(request).at("latents").values, plain.at("latents").values);
    request.mask = mask_of({127}, 1);
    const auto kept = dumps(request);
    EXPECT_EQ(kept.at("latents").values, kept.at("init_latents").values);
    EXPECT_EQ(kept.at("init_latents").values, plain.at("init_latents").values);
    EXPECT_NE(kept.at("latents").values, plain.at("latents").values);
  }
}

// Each latent goes by the pixel at its upper left.
TEST_F(OnCpu, TheMaskIsLaidOverTheLatents) {
  std::vector<std::uint8_t> values(48 * 32);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = i % 48 >= 23 ? 200 : 0;
  const auto d = dumps(
      {.prompt = "x", .seed = 3, .init = test::init_picture(48, 32), .mask = mask_of(values, 48)});
  for (std::size_t i = 0; i < d.at("latents").values.size(); ++i) {
    const bool same = d.at("latents").values[i] == d.at("init_latents").values[i];
    EXPECT_EQ(same, i % 6 * 8 < 23) << i;
  }
}

TEST_F(OnCpu, TheLessStrengthTheNearerToThePicture) {
  double last = 0;
  for (const double strength : {0.1, 0.5, 1.0}) {
    const auto d = dumps({.prompt = "x",
                          .steps = 10,
                          .seed = 3,
                          .init = test::init_picture(48, 32),
                          .strength = strength});
    double distance = 0;
    for (std::size_t i = 0; i < d.at("latents").values.size(); ++i) {
      distance += std::fabs(static_cast<double>(d.at("latents").values[i]) -
                            static_cast<double>(d.at("init_latents").values[i]));
    }
    EXPECT_GT(distance, last) << strength;
    last = distance;
  }
}

TEST_F(OnCpu, SettingsChangeThePicture) {
  const GenerateRequest base{.prompt = "x", .seed = 3};
  const auto image = [&](auto change) {
    GenerateRequest r = base;
    change(r);
    return dumps(r).at("image").values;
  };
  const auto plain = image([](GenerateRequest&) {});
  EXPECT_NE(image([](GenerateRequest& r) { r.prompt = "y"; }), plain);
  EXPECT_NE(image([](GenerateRequest& r) { r.negative_prompt = "y"; }), plain);
  EXPECT_NE(image([](GenerateRequest& r) { r.guidance = 2.0f; }), plain);
  EXPECT_NE(image([](GenerateRequest& r) { r.shift = 1.0f; }), plain);
  EXPECT_NE(image([](GenerateRequest& r) { r.sampler = "dpmpp_2m"; }), plain);
  EXPECT_NE(image([](GenerateRequest& r) { r.skip_layers = {0}, r.skip_end = 1.0f; }), plain);
  // Without guidance the negative prompt has no say.
  const auto unguided = image([](GenerateRequest& r) { r.guidance = 1.0f; });
  EXPECT_EQ(image([](GenerateRequest& r) { r.guidance = 0.5f, r.negative_prompt = "y"; }),
            unguided);
}

TEST_F(OnCpu, MemoryStaysTheSame) {
  const GenerateRequest request{.prompt = "x", .seed = 3};
  const UsedSettings settings = resolve_settings(request, models_);
  const std::size_t planned = plan_activations(models_, request, settings, DType::kF32);
  Arena arena(cpu_->allocate(planned));
  std::vector<std::uint8_t> first;
  for (int i = 0; i < 4; ++i) {  // one arena: everything that a run takes it gives back
    const GenerateResult r = run_pipeline({*cpu_, arena}, models_, request, settings, {});
    EXPECT_EQ(r.activation_peak_bytes, planned);
    if (i == 0) first = r.pictures[0].rgb;
    EXPECT_EQ(r.pictures[0].rgb, first);
  }
}

// One infinite value in the weights: the run stops and names the block that it came out of.
TEST(NotFinite, StageAndBlockAreNamed) {
  const auto cpu = make_cpu_backend({.threads = 2});
  const std::pair<const char*, const char*> cases[] = {
      {"transformer_blocks.0.ff.net.2.weight", "denoising, step 1, transformer_blocks.0, image: "},
      {"transformer_blocks.0.ff_context.net.2.bias",
       "denoising, step 1, transformer_blocks.0, text: "},
      {"transformer_blocks.1.attn.add_v_proj.bias",
       "denoising, step 1, transformer_blocks.1, image: "},
      {"time_text_embed.timestep_embedder.linear_2.bias", "denoising, step 1, modulation: "},
      {"context_embedder.bias", "denoising, step 1, embedders, text: "},
      {"proj_out.bias", "denoising, step 1, output layer: "},
      {"text_model.encoder.layers.1.mlp.fc2.bias", "text encoders, prompt, CLIP layer 1: "},
      {"encoder.block.1.layer.1.DenseReluDense.wo.weight",
       "text encoders, prompt, T5 encoder.block.1: "},
      {"encoder.down_blocks.1.resnets.0.conv2.bias", "picture encoding, encoder.down_blocks.1: "},
      {"decoder.up_blocks.2.resnets.0.conv2.bias", "picture decoding, decoder.up_blocks.2: "},
      {"decoder.conv_out.bias", "picture decoding: "}};
  for (const auto& [tensor, where] : cases) {
    const Models models = test::tiny_pipeline(*cpu, {.infinite = tensor});
    expect_error(Code::kUnsupported, std::string(where) + "expected finite values, found NaN", [&] {
      (void)run(*cpu, models,
                {.prompt = "x",
                 .negative_prompt = "y",
                 .guidance = 3.0f,
                 .init = test::init_picture(48, 32),
                 .strength = 1.0});
    });
  }
}

TEST_F(OnCpu, WarningsSayWhatIsCut) {
  std::string prompt;
  for (int i = 0; i < 200; ++i) prompt += "apple ";
  const GenerateResult r = run(*cpu_, models_, {.prompt = prompt, .steps = 1});
  ASSERT_EQ(r.warnings.size(), 2u);
  EXPECT_TRUE(r.warnings[0].starts_with("prompt: too long for CLIP")) << r.warnings[0];
  EXPECT_TRUE(r.warnings[1].starts_with("prompt: too long for T5")) << r.warnings[1];
  const GenerateResult n = run(*cpu_, models_, {.negative_prompt = prompt, .steps = 1});
  ASSERT_EQ(n.warnings.size(), 2u);
  EXPECT_TRUE(n.warnings[0].starts_with("negative prompt:")) << n.warnings[0];
}

}  // namespace
}  // namespace octet
