// The running batch against requests that are alone: bytes, turns, memory, ends.
#include <gtest/gtest.h>

#include <list>
#include <map>
#include <random>

#include "backend/cpu/cpu_backend.h"
#include "backend/null/null_backend.h"
#include "base/format.h"
#include "pipeline/batch_guest.h"
#include "pipeline/running_batch.h"
#include "support/errors.h"
#include "support/recording_backend.h"
#include "support/tiny_pipeline.h"

namespace octet {
namespace {

using test::alone;
using test::expect_as_alone;
using test::expect_error;
using test::Family;
using test::Guest;
using test::PipelineSpec;
using test::random_request;

// ---- bytes ---------------------------------------------------------------------------------

class SameBytesInABatch : public testing::TestWithParam<PipelineSpec> {};
INSTANTIATE_TEST_SUITE_P(Pipeline, SameBytesInABatch,
                         testing::Values(PipelineSpec{.family = Family::kSd3Medium},
                                         PipelineSpec{.family = Family::kSd35Medium,
                                                      .compute = Compute::kBF16},
                                         PipelineSpec{.fp8 = true, .compute = Compute::kW8A16},
                                         PipelineSpec{.fp8 = true, .compute = Compute::kFP8}));

TEST_P(SameBytesInABatch, WhateverComesAndGoes) {
  std::mt19937 random(11);
  const auto cpu = make_cpu_backend({.threads = 2});
  const Models models = test::tiny_pipeline(*cpu, GetParam());
  for (int round = 0; round < 3; ++round) {
    RunningBatch batch(*cpu, models, cpu->stream_dtype(Compute::kBF16),
                       {.max_pictures = 2 + round, .prompt_cache = round == 0 ? 0u : 100'000u});
    std::list<Guest> guests;
    while (guests.size() < 14 || !batch.idle()) {
      if (guests.size() < 14 && random() % 2 == 0) {
        guests.push_back({.request = random_request(random)});
        if (random() % 5 == 0) guests.back().stop_after = static_cast<int>(random() % 6);
        guests.back().join(batch);
      }
      if (random() % 2 == 0)
        batch.ask_preview(guests.size() - std::min(random() % 4, guests.size()));
      if (random() % 16 == 0) batch.cancel(1 + random() % (guests.size() + 1));
      const bool more = batch.step();
      EXPECT_EQ(more, !batch.idle());
    }
    int finished = 0;
    std::size_t previews = 0;
    for (const Guest& guest : guests) {
      ASSERT_EQ(guest.ends, 1);
      previews += guest.previews.size();
      if (guest.result) {
        ++finished;
        expect_as_alone(guest, *cpu, models);
      } else {
        EXPECT_EQ(guest.error->code(), Code::kCancelled) << guest.error->what();
      }
      if (guest.stop_after < 0) continue;
      EXPECT_LE(static_cast<int>(guest.progress.size()), guest.stop_after + 1)
          << "a hook that said stop is not called again";
    }
    EXPECT_GE(finished, 5);
    EXPECT_GE(previews, 3u);
  }
}

// A step of Euler goes from x along v, so it tells v, and v tells x0.
TEST(BatchPreview, ShowsWhereTheStepPoints) {
  const auto cpu = make_cpu_backend({.threads = 2});
  const auto null = make_null_backend({});
  const Models models = test::tiny_pipeline(*cpu, {});
  const GenerateRequest request{
      .prompt = "x", .steps = 4, .seed = 3, .width = 32, .height = 48, .dump_steps = true};
  const UsedSettings settings = resolve_settings(request, models);
  std::map<std::string, FloatArray> dumps;
  Arena arena(cpu->allocate(plan_activations(models, request, settings, DType::kF32)));
  GenerateHooks hooks;
  hooks.dump = [&](const std::string& name, FloatArray value) { dumps[name] = std::move(value); };
  (void)run_pipeline({*cpu, arena}, models, request, settings, hooks);

  RunningBatch batch(*cpu, models, DType::kF32, {});
  Guest guest{.request = request};
  guest.join(batch);
  batch.step();  // its text
  batch.step();
  batch.ask_preview(guest.id);
  while (batch.step()) {
  }
  ASSERT_EQ(guest.previews.size(), 1u);
  ASSERT_EQ(guest.previews[0].step, 2);
  const std::vector<float> sigmas = run_sigmas(settings, request.compat);
  const std::vector<float>& x = dumps.at("latents.0").values;
  const std::vector<float>& next = dumps.at("latents.1").values;
  std::vector<float> x0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    x0.push_back(x[i] - sigmas[1] * (next[i] - x[i]) / (sigmas[2] - sigmas[1]));
  }
  const Picture expected = PreviewProjection(*cpu, *null, models.vae).apply(x0, 4, 6);
  const Picture& found = guest.previews[0].pictures[0];
  ASSERT_EQ(found.rgb.size(), expected.rgb.size());
  for (std::size_t i = 0; i < found.rgb.size(); ++i) {
    EXPECT_NEAR(found.rgb[i], expected.rgb[i], 1) << i;
  }
}

// ---- what runs -----------------------------------------------------------------------------

class BatchOnNull : public testing::Test {
 protected:
  BatchOnNull() : models_(test::tiny_pipeline(backend_, {})) {}
  RunningBatch batch(const BatchOptions& options) {
    return RunningBatch(backend_, models_, DType::kF32, options);
  }
  Guest& join(Batch& batch, GenerateRequest request) {
    guests_.push_back({.request = std::move(request)});
    guests_.back().join(batch);
    return guests_.back();
  }
  /// Batch rows of every call of the network since the last one.
  std::vector<std::int64_t> network_calls() {
    std::vector<std::int64_t> rows;
    for (const test::OpRecord& r : backend_.ops()) {
      if (r.op == "unpatchify") rows.push_back(r.dst.dim(0));
    }
    backend_.clear();
    return rows;
  }
  test::RecordingBackend backend_;
  Models models_;
  std::list<Guest> guests_;
};

using Rows = std::vector<std::int64_t>;

TEST_F(BatchOnNull, RequestsShareTheNetworksBatch) {
  RunningBatch b = batch({});
  join(b, {.steps = 3, .guidance = 4.0f});
  b.step();
  join(b, {.steps = 2, .guidance = 1.0f, .sampler = "dpmpp_2m"});
  b.step();
  join(b, {.steps = 4, .guidance = 2.0f, .skip_layers = {1}, .skip_start = 0, .skip_end = 0.5f});
  while (b.step()) {
  }
  EXPECT_EQ(network_calls(), (Rows{2, 3, 5, 2, 1, 2, 2}))
      << "both prompts; and a row without guidance; and both prompts, then skipped blocks apart";
  for (const Guest& guest : guests_) EXPECT_TRUE(guest.result);
}

TEST_F(BatchOnNull, AsManyPicturesAtOnceAsTheDeviceLikes) {
  backend_.at_once = 2;
  RunningBatch b = batch({});
  for (int i = 0; i < 5; ++i) join(b, {.steps = 1, .guidance = i == 0 ? 1.0f : 4.0f});
  while (b.step()) {
  }
  EXPECT_EQ(network_calls(), (Rows{3, 4, 2})) << "one of them without guidance";
  for (const Guest& guest : guests_) EXPECT_TRUE(guest.result);
}

TEST_F(BatchOnNull, WithoutMemoryOfPromptsOneTextPerStep) {
  RunningBatch b = batch({.prompt_cache = 0});
  for (int i = 0; i < 3; ++i) join(b, {.prompt = std::to_string(i), .steps = 1, .batch = 2});
  std::vector<std::size_t> texts, pictures;
  while (!b.idle()) {
    backend_.clear();
    b.step();
    texts.push_back(backend_.count("embed_tokens") / 3);
    pictures.push_back(backend_.count("to_u8"));
  }
  EXPECT_EQ(texts, (std::vector<std::size_t>{1, 1, 1, 0, 0}));
  EXPECT_EQ(pictures, (std::vector<std::size_t>{0, 1, 2, 2, 1})) << "one of each that is done";
}

TEST_F(BatchOnNull, TextsOfThoseWhoComeTogetherAreOneBatch) {
  RunningBatch b = batch({});
  for (const char* prompt : {"a", "b", "c", "b"}) {
    join(b, {.prompt = prompt, .steps = 2, .width = 64, .height = 64});
  }
  b.step();
  std::vector<std::int64_t> rows;
  for (const test::OpRecord& r : backend_.ops()) {
    if (r.op == "embed_tokens") rows.push_back(r.dst.dim(0));
  }
  EXPECT_EQ(rows, (Rows{4, 4, 4})) << "three prompts and the negative one, in three encoders";
  backend_.clear();
  while (b.step()) {
  }
  EXPECT_EQ(backend_.count("embed_tokens"), 0u);
  EXPECT_EQ(network_calls(), (Rows{8, 8})) << "and they end together";
  for (const Guest& guest : guests_) EXPECT_TRUE(guest.result);
}

TEST_F(BatchOnNull, RemarksOfTheDeviceComeOnceWithAResult) {
  RunningBatch b = batch({});
  backend_.remarks = {"slow"};
  for (int i = 0; i < 2; ++i) join(b, {.steps = 1});
  while (b.step()) {
  }
  EXPECT_EQ(guests_.front().result->warnings, std::vector<std::string>{"slow"});
  EXPECT_TRUE(guests_.back().result->warnings.empty());
}

TEST_F(BatchOnNull, AKnownPromptIsNotEncodedAgain) {
  RunningBatch b = batch({});
  for (const char* prompt : {"a", "b", "a"}) {
    backend_.clear();
    join(b, {.prompt = prompt, .negative_prompt = "n", .steps = 1});
    while (b.step()) {
    }
    const std::size_t rows = guests_.size() == 1 ? 2 : 1;
    std::size_t encoded = 0;
    for (const test::OpRecord& r : backend_.ops()) {
      if (r.op == "embed_tokens") {
        EXPECT_EQ(r.dst.dim(0), static_cast<std::int64_t>(rows));
        ++encoded;
      }
    }
    EXPECT_EQ(encoded, guests_.size() == 3 ? 0u : 3u) << prompt;
  }
}

TEST_F(BatchOnNull, APromptIsKnownInOneWayOfReadingIt) {
  RunningBatch b = batch({});
  for (const Compat compat : {Compat::kDiffusers, Compat::kComfyUi, Compat::kReference}) {
    for (const int length : {77, 80}) {
      backend_.clear();
      join(b,
           {.prompt = "x!", .steps = 1, .guidance = 1.0f, .t5_length = length, .compat = compat});
      while (b.step()) {
      }
      EXPECT_EQ(backend_.count("embed_tokens"), 3u);
    }
  }
}

TEST_F(BatchOnNull, AHookThatSaysStopBeforeTheFirstStepSavesIt) {
  for (const int stop_after : {0, 1}) {
    RunningBatch b = batch({});
    guests_.push_back({.request = {.steps = 3}, .stop_after = stop_after});
    guests_.back().join(b);
    EXPECT_FALSE(b.step());
    EXPECT_EQ(network_calls(), Rows{});
    EXPECT_EQ(guests_.back().ends, 1);
  }
}

TEST_F(BatchOnNull, NeverMorePicturesThanAllowed) {
  RunningBatch b = batch({.max_pictures = 3});
  for (int i = 0; i < 9; ++i) join(b, {.steps = 2 + i % 3, .guidance = 1.0f, .batch = 1 + i % 2});
  join(b, {.steps = 1, .guidance = 1.0f, .batch = 5});
  EXPECT_EQ(b.load().waiting, 18);
  while (b.step()) {
    const BatchLoad load = b.load();
    EXPECT_TRUE(load.running <= 3 || (load.running == 5 && guests_.back().progress.size() < 9));
  }
  std::int64_t most = 0;
  for (const std::int64_t rows : network_calls()) {
    if (rows != 5) most = std::max(most, rows);
  }
  EXPECT_EQ(most, 3) << "and as many as allowed";
  for (const Guest& guest : guests_) EXPECT_TRUE(guest.result);
}

TEST_F(BatchOnNull, AnotherSizeIsPassedOnlySoOften) {
  RunningBatch b = batch({.max_pictures = 2});
  std::vector<std::string> order;
  const auto add = [&](const char* name, int height) {
    Guest& guest = join(b, {.steps = 4, .guidance = 1.0f, .width = 32, .height = height});
    guest.on_end = [&order, name] { order.emplace_back(name); };
  };
  add("a", 32);
  b.step();
  add("other", 16);
  for (int i = 0; i < 30; ++i) {  // there is always one more of the first size
    add("a", 32);
    b.step();
  }
  while (b.step()) {
  }
  const auto place = std::ranges::find(order, "other") - order.begin();
  EXPECT_GE(place, 2) << "others may pass while there is room beside the first";
  EXPECT_LE(place, 3) << "one in flight, and two passed";
  EXPECT_EQ(order.size(), 32u);
}

TEST_F(BatchOnNull, CancelEndsBeforeTheNextWork) {
  RunningBatch b = batch({});
  Guest& first = join(b, {.steps = 9, .guidance = 1.0f});
  Guest& second = join(b, {.steps = 9, .guidance = 1.0f});
  Guest& waiting = join(b, {.steps = 9, .width = 16});
  for (int i = 0; i < 4; ++i) b.step();
  network_calls();
  b.cancel(first.id);
  b.cancel(waiting.id);
  b.cancel(12345);
  EXPECT_EQ(first.ends, 0) << "told by step";
  b.step();
  EXPECT_EQ(network_calls(), (Rows{1}));
  for (const Guest* guest : {&first, &waiting}) {
    ASSERT_TRUE(guest->error);
    EXPECT_EQ(guest->error->code(), Code::kCancelled);
  }
  b.cancel(second.id);
  EXPECT_FALSE(b.step());
  EXPECT_EQ(network_calls(), Rows{});
  EXPECT_EQ(second.ends, 1);
  EXPECT_FALSE(b.step()) << "nothing happens";
}

TEST_F(BatchOnNull, OnePreviewForEveryTimeItIsAskedFor) {
  RunningBatch b = batch({});
  Guest& guest = join(b, {.steps = 5, .guidance = 1.0f, .width = 32, .height = 48, .batch = 2});
  Guest& other = join(b, {.steps = 5, .guidance = 1.0f, .width = 32, .height = 48});
  b.ask_preview(guest.id);  // before its first step
  b.ask_preview(guest.id);
  b.ask_preview(99);
  b.step();
  EXPECT_EQ(guest.previews.size(), 0u);
  b.step();
  ASSERT_EQ(guest.previews.size(), 1u);
  EXPECT_EQ(guest.previews[0].step, 1);
  EXPECT_EQ(guest.previews[0].steps, 5);
  ASSERT_EQ(guest.previews[0].pictures.size(), 2u);
  EXPECT_EQ(guest.previews[0].pictures[1].width, 4);
  EXPECT_EQ(guest.previews[0].pictures[1].height, 6);
  EXPECT_EQ(guest.previews[0].pictures[1].seed, guest.previews[0].pictures[0].seed + 1);
  b.step();
  b.ask_preview(guest.id);
  while (b.step()) {
  }
  ASSERT_EQ(guest.previews.size(), 2u);
  EXPECT_EQ(guest.previews[1].step, 3);
  EXPECT_TRUE(other.previews.empty());
  EXPECT_TRUE(guest.result && other.result);
}

TEST_F(BatchOnNull, ADeviceMayBeAStepBehind) {
  std::mt19937 random(9);
  RunningBatch b = batch({.max_pictures = 3});
  while (guests_.size() < 12 || !b.idle()) {
    backend_.units_behind = static_cast<int>(random() % 2);
    if (guests_.size() < 12 && random() % 2 == 0) join(b, test::random_request(random));
    if (random() % 2 == 0) b.ask_preview(guests_.size());
    if (random() % 20 == 0) b.cancel(1 + random() % (guests_.size() + 1));
    const bool more = b.step();
    EXPECT_EQ(more, !b.idle());
  }
  std::size_t previews = 0, finished = 0;
  for (const Guest& guest : guests_) {
    EXPECT_EQ(guest.ends, 1);
    previews += guest.previews.size();  // each was shown behind the report of its own step
    if (!guest.result) continue;
    ++finished;
    EXPECT_EQ(guest.progress, alone(backend_, models_, guest.request, DType::kF32).progress);
  }
  EXPECT_GE(previews, 5u);
  EXPECT_GE(finished, 7u);
}

TEST_F(BatchOnNull, APreviewIsOfTheStepThatItNames) {
  backend_.units_behind = 1;
  RunningBatch b = batch({});
  Guest& guest = join(b, {.steps = 5, .guidance = 1.0f});
  b.step();
  b.step();  // the first step is handed over
  b.ask_preview(guest.id);
  b.step();  // the second, which is to be shown
  b.ask_preview(guest.id);
  EXPECT_TRUE(guest.previews.empty());
  b.step();  // the third must leave alone what the second left
  ASSERT_EQ(guest.previews.size(), 1u);
  EXPECT_EQ(guest.previews[0].step, 2);
  while (b.step()) {
  }
  ASSERT_EQ(guest.previews.size(), 2u);
  EXPECT_EQ(guest.previews[1].step, 4);
}

TEST_F(BatchOnNull, HooksMayJoinAndCancel) {
  RunningBatch b = batch({});
  Guest& first = join(b, {.steps = 2, .guidance = 1.0f});
  Guest& other = join(b, {.steps = 30, .guidance = 1.0f});
  first.on_end = [&] {
    b.cancel(other.id);
    join(b, {.steps = 1, .guidance = 1.0f});
  };
  while (b.step()) {
  }
  EXPECT_TRUE(first.result);
  EXPECT_TRUE(other.error);
  EXPECT_TRUE(guests_.back().result);
}

TEST_F(BatchOnNull, RefusedAtTheDoor) {
  RunningBatch b = batch({});
  expect_error(Code::kInvalidArgument, "steps: expected", [&] { join(b, {.steps = 0}); });
  expect_error(Code::kInvalidArgument, "skip-layers", [&] { join(b, {.skip_layers = {9}}); });
  expect_error(Code::kInvalidArgument, "max pictures", [&] { (void)batch({.max_pictures = 0}); });
  EXPECT_TRUE(b.idle());
  RunningBatch poor = batch({.max_memory = 1000});
  expect_error(Code::kOutOfMemory, "memory: this request needs", [&] { join(poor, {}); });
  EXPECT_TRUE(poor.idle());
}

// ---- memory --------------------------------------------------------------------------------

TEST(BatchMemory, AsManyAsFit) {
  test::RecordingBackend null;
  const Models models = test::tiny_pipeline(null, {});
  const GenerateRequest request{.prompt = "x", .steps = 6, .seed = 1, .width = 48, .height = 48};
  const UsedSettings settings = resolve_settings(request, models);
  const std::size_t one = plan_activations(models, request, settings, DType::kF32);
  std::int64_t before = 0;
  for (const double budget : {1.3, 2.0, 4.0, 40.0}) {
    RunningBatch batch(null, models, DType::kF32,
                       {.max_pictures = 8,
                        .max_memory = static_cast<std::size_t>(budget * static_cast<double>(one))});
    std::list<Guest> guests(8, Guest{.request = request});
    for (Guest& guest : guests) guest.join(batch);
    null.clear();
    while (batch.step()) {
    }
    std::int64_t most = 0;
    for (const test::OpRecord& r : null.ops()) {
      if (r.op == "unpatchify") most = std::max(most, r.dst.dim(0));
    }
    for (const Guest& guest : guests) EXPECT_TRUE(guest.result);
    EXPECT_GE(most, before) << budget;
    before = most;
    if (budget < 1.4) {
      EXPECT_EQ(most, 2) << "one at a time";
    }
  }
  EXPECT_GT(before, 8);
}

TEST(BatchMemory, StepsWithSkippedBlocksArePlanned) {
  test::RecordingBackend null;
  const Models models = test::tiny_pipeline(null, {});
  const PreparedRequest prepared = prepare_request(
      models, {.prompt = "x", .steps = 4, .guidance = 3.0f, .batch = 3, .skip_layers = {0, 1}});
  RequestRun run(prepared, models, null, Arena(null.allocate(kNullArenaBytes)));
  const std::span<Track> tracks = run.tracks();
  const std::size_t planned = plan_step(models, null, {tracks.begin(), tracks.end()});
  std::vector<Track*> all;
  for (Track& track : tracks) all.push_back(&track);
  Arena scratch(null.allocate(kNullArenaBytes));
  for (Denoiser denoiser(models.mmdit); !tracks[0].row.done();) denoiser.step({null, scratch}, all);
  EXPECT_LE(scratch.peak(), planned);
}

// A device's ops find their memory there, whoever joins, and it does not move while there is room.
TEST(BatchMemory, WhatOpsKeepIsReservedBeforeTheyRun) {
  test::RecordingBackend device({.stream = DType::kBF16, .fp8_inputs = true});
  device.kind = "cuda";
  const Models models = test::tiny_pipeline(device, {.fp8 = true, .compute = Compute::kFP8});
  RunningBatch batch(device, models, DType::kBF16, {.max_pictures = 4});
  std::list<Guest> guests(6, Guest{.request = {.prompt = "x", .steps = 4, .guidance = 3.0f}});
  std::size_t first = 0;
  for (Guest& guest : guests) {
    guest.join(batch);
    batch.step();
    if (first == 0) first = device.reserved.total();
  }
  while (batch.step()) {
  }
  EXPECT_GT(device.needed.product, 0u);
  EXPECT_GT(device.needed.statistics, 0u);
  DeviceScratch both = device.needed;
  both.include(device.reserved);
  EXPECT_EQ(both.total(), device.reserved.total()) << "an op took more than was reserved";
  EXPECT_EQ(device.reserved.total(), first);
  EXPECT_GE(device.reservations, 6);
}

// The CPU's arenas are exactly as large as planned: one byte less would be an error.
TEST(BatchMemory, PlansHoldOnTheCpu) {
  std::mt19937 random(5);
  const auto cpu = make_cpu_backend({.threads = 2});
  const Models models = test::tiny_pipeline(*cpu, {.family = Family::kSd35Medium});
  for (const int most : {1, 3, 5}) {
    RunningBatch batch(*cpu, models, DType::kF32, {.max_pictures = most});
    std::list<Guest> guests;
    for (int i = 0; i < 8; ++i) {
      guests.push_back({.request = random_request(random)});
      guests.back().join(batch);
      batch.step();
    }
    while (batch.step()) {
    }
    for (const Guest& guest : guests) {
      EXPECT_TRUE(guest.result) << guest.error->what();
    }
  }
}

// ---- failures ------------------------------------------------------------------------------

TEST(BatchFailures, OneRequestsTroubleIsItsOwn) {
  const auto cpu = make_cpu_backend({.threads = 2});
  const Models models = test::tiny_pipeline(*cpu, {});
  RunningBatch batch(*cpu, models, DType::kF32, {});
  const GenerateRequest base{.prompt = "x", .steps = 4, .seed = 3, .width = 32, .height = 32};
  std::list<Guest> guests(4, Guest{.request = base});
  auto guest = guests.begin();
  guest->request.prompt = "y";
  Guest& endless = *++guest;
  endless.request.noise = FloatArray{.dims = {1, 5, 4, 4}, .values = std::vector<float>(80, 3e38f)};
  (++guest)->request.sampler = "dpmpp_2m";
  for (Guest& each : guests) each.join(batch);
  Guest throwing{.request = base};
  int calls = 0;
  batch.join(base, {.progress = [&](const Progress&) -> bool {
                      if (++calls == 3) throw Error(Code::kIo, "the pipe is closed");
                      return true;
                    },
                    .done = {},
                    .failed = [&](const Error& e) { throwing.error = e; }});
  while (batch.step()) {
  }
  ASSERT_TRUE(endless.error);
  EXPECT_EQ(endless.error->code(), Code::kUnsupported);
  EXPECT_EQ(std::string(endless.error->what()),
            "denoising, step 1, embedders, image: expected finite values, found NaN or "
            "infinity");
  ASSERT_TRUE(throwing.error);
  EXPECT_STREQ(throwing.error->what(), "the pipe is closed");
  EXPECT_EQ(calls, 3);
  for (const Guest& each : guests) {
    if (&each != &endless) expect_as_alone(each, *cpu, models);
  }
}

TEST(BatchFailures, ABrokenModelFailsEveryRequestByName) {
  const auto cpu = make_cpu_backend({.threads = 2});
  const std::pair<const char*, const char*> cases[] = {
      {"text_model.encoder.layers.1.mlp.fc2.bias", "text encoders, prompt, CLIP layer 1: "},
      {"transformer_blocks.1.ff.net.2.bias", "denoising, step 1, transformer_blocks.1, image: "},
      {"proj_out.bias", "denoising, step 1, output layer: "},
      {"decoder.conv_out.bias", "picture decoding: "}};
  for (const auto& [tensor, where] : cases) {
    const Models models = test::tiny_pipeline(*cpu, {.infinite = tensor});
    RunningBatch batch(*cpu, models, DType::kF32, {});
    std::list<Guest> guests(3, Guest{.request = {.prompt = "x", .guidance = 3.0f}});
    for (Guest& guest : guests) guest.join(batch);
    while (batch.step()) {
    }
    for (const Guest& guest : guests) {
      ASSERT_TRUE(guest.error) << where;
      EXPECT_TRUE(std::string(guest.error->what()).starts_with(where)) << guest.error->what();
    }
  }
}

}  // namespace
}  // namespace octet
