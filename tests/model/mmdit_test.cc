// The MMDiT on the null backend: every op is checked for shapes and dtypes, and what ran is
// recorded. Numbers are compared with the reference implementation in the golden tests.
#include "model/mmdit.h"

#include <gtest/gtest.h>

#include "model/loaded.h"
#include "support/errors.h"
#include "support/recording_backend.h"

namespace octet {
namespace {

using test::expect_error;
using test::Family;
using test::load_tiny;
using test::MmditSpec;
using test::TensorMap;

struct Sizes {
  std::int64_t batch, height, width, text;  // latents and text rows
};

/// One step on latents of these sizes; gives the peak of a fresh arena.
std::size_t run_forward(Backend& backend, const Mmdit& model, const Sizes& s,
                        std::span<const int> skip = {}) {
  Arena arena(backend.allocate(kNullArenaBytes));
  const Ctx ctx{backend, arena};
  const MmditConfig& c = model.config();
  const Arena::Scope scope(arena);
  const Tensor latents = arena.tensor(DType::kF32, {s.batch, c.in_channels, s.height, s.width});
  const Tensor dst = arena.tensor(DType::kF32, {s.batch, c.in_channels, s.height, s.width});
  const Tensor text = arena.tensor(DType::kF32, {s.batch, s.text, c.text_width});
  const Tensor modulation = arena.tensor(DType::kF32, {s.batch, model.modulation_width()});
  const Tensor timesteps = arena.tensor(DType::kF32, {s.batch});
  const Tensor pooled = arena.tensor(DType::kF32, {s.batch, c.pooled_width});
  const std::vector<ModulationRows> rows{{.dst = modulation, .pooled = pooled}};
  test::expect_gives_back(arena, [&] { model.modulation(ctx, rows, timesteps); });
  test::expect_gives_back(arena, [&] {
    model.forward(
        ctx, dst,
        {.latents = latents, .text = text, .modulation = modulation, .skip_layers = skip});
  });
  return arena.peak();
}

class EveryFamily : public testing::TestWithParam<Family> {
 protected:
  [[nodiscard]] MmditSpec spec() const { return {.family = GetParam(), .depth = 3}; }
};
INSTANTIATE_TEST_SUITE_P(Mmdit, EveryFamily,
                         testing::Values(Family::kSd3Medium, Family::kSd35Medium,
                                         Family::kSd35Large));

TEST_P(EveryFamily, ConfigurationComesFromTheShapes) {
  test::RecordingBackend backend;
  const auto model = load_tiny<Mmdit>(backend, test::mmdit_tensors(spec()), Compute::kF32);
  const MmditConfig& c = model.config();
  EXPECT_EQ(c.depth, 3);
  EXPECT_EQ(c.width, 192);
  EXPECT_EQ(c.heads(), 3);
  EXPECT_EQ(c.patch, 2);
  EXPECT_EQ(c.in_channels, 5);
  EXPECT_EQ(c.out_channels, 5);
  EXPECT_EQ(c.text_width, 72);
  EXPECT_EQ(c.pooled_width, 56);
  EXPECT_EQ(c.position_side, 7);
  EXPECT_EQ(c.qk_norm, GetParam() != Family::kSd3Medium);
  const bool dual = GetParam() == Family::kSd35Medium;
  EXPECT_EQ(c.dual, (std::vector<bool>{dual, false, false}));
  // 6 D per stream and block, 9 D with dual attention, 2 D for text at the end, 2 D at the output.
  EXPECT_EQ(model.modulation_width(), (3 * 6 + 2 * 6 + 2 + 2 + (dual ? 3 : 0)) * 192);
}

TEST_P(EveryFamily, RunsAtOddSizesInEveryCompute) {
  const TensorMap plain = test::mmdit_tensors(spec());
  const TensorMap fp8 = test::with_fp8_blocks(plain);
  const Sizes sizes[] = {{1, 2, 2, 1}, {2, 14, 10, 7}, {3, 6, 14, 333}, {7, 2, 14, 2}};
  for (const DType stream : {DType::kF32, DType::kBF16}) {
    for (const Compute compute : {Compute::kF32, Compute::kBF16, Compute::kW8A16, Compute::kFP8}) {
      test::RecordingBackend backend({.stream = stream});
      const bool needs_fp8 = compute == Compute::kW8A16 || compute == Compute::kFP8;
      const auto model = load_tiny<Mmdit>(backend, needs_fp8 ? fp8 : plain, compute);
      for (const Sizes& s : sizes) {
        ASSERT_GT(run_forward(backend, model, s), 0u) << name_of(compute) << " " << s.batch;
      }
    }
  }
}

TEST_P(EveryFamily, PeakDoesNotDependOnEarlierRuns) {
  test::RecordingBackend backend;
  const auto model = load_tiny<Mmdit>(backend, test::mmdit_tensors(spec()), Compute::kBF16);
  const std::size_t small = run_forward(backend, model, {1, 6, 10, 9});
  const std::size_t large = run_forward(backend, model, {2, 14, 14, 40});
  EXPECT_GT(large, small);
  EXPECT_EQ(run_forward(backend, model, {1, 6, 10, 9}), small);
}

TEST_P(EveryFamily, AttentionSeesImageAndText) {
  test::RecordingBackend backend;
  const auto model = load_tiny<Mmdit>(backend, test::mmdit_tensors(spec()), Compute::kF32);
  backend.clear();
  (void)run_forward(backend, model, {2, 6, 10, 4});
  std::size_t joint = 0, image_only = 0;
  for (const test::OpRecord& r : backend.ops()) {
    if (r.op != "attention") continue;
    EXPECT_EQ(r.keys.dim(0), 2);
    joint += r.keys.dim(1) == 15 + 4 ? 1 : 0;
    image_only += r.keys.dim(1) == 15 ? 1 : 0;
  }
  EXPECT_EQ(joint, 3u);
  EXPECT_EQ(image_only, GetParam() == Family::kSd35Medium ? 1u : 0u);
}

TEST_P(EveryFamily, SkippedLayersRunNothing) {
  test::RecordingBackend backend;
  const auto model = load_tiny<Mmdit>(backend, test::mmdit_tensors(spec()), Compute::kF32);
  const auto attentions = [&](std::vector<int> skip) {
    backend.clear();
    (void)run_forward(backend, model, {1, 4, 4, 3}, skip);
    EXPECT_EQ(backend.count("unpatchify"), 1u);
    return backend.count("attention");
  };
  // One per block over image and text; a dual block has one more.
  const std::size_t dual = GetParam() == Family::kSd35Medium ? 1 : 0;
  EXPECT_EQ(attentions({}), 3 + dual);
  EXPECT_EQ(attentions({1}), 2 + dual);
  EXPECT_EQ(attentions({0}), 2u);
  EXPECT_EQ(attentions({2}), 2 + dual);
  EXPECT_EQ(attentions({0, 1, 2}), 0u);
  EXPECT_EQ(attentions({17}), 3 + dual);
}

// The only block of the smallest model is the last one; two blocks show the other form's text part.
bool belongs_to_first_of_two(const std::string& name) {
  return name.find("blocks.0.attn.to_add_out") != std::string::npos ||
         name.find("blocks.0.ff_context") != std::string::npos ||
         name.find("blocks.1.norm1") != std::string::npos;
}

TEST_P(EveryFamily, EveryMissingTensorIsNamed) {
  const TensorMap two = test::mmdit_tensors({.family = GetParam(), .depth = 2});
  const TensorMap one = test::mmdit_tensors({.family = GetParam(), .depth = 1});
  test::RecordingBackend backend;
  for (const auto& [name, tensor] : two) {
    if (!belongs_to_first_of_two(name) && one.count(name) == 0) continue;
    const TensorMap& whole = belongs_to_first_of_two(name) ? two : one;
    TensorMap map = whole;
    map.erase(name);
    const Error error =
        test::error_of([&] { (void)load_tiny<Mmdit>(backend, map, Compute::kF32); });
    EXPECT_EQ(error.code(), Code::kModelMismatch) << error.what();
    // Without these a block is of another form, and the error names what then does not fit.
    const bool decides = name.find("blocks.0.attn.norm_q") != std::string::npos ||
                         name.ends_with("attn2.to_q.weight");
    EXPECT_TRUE(decides || std::string(error.what()).find(name) != std::string::npos)
        << name << ": " << error.what();
  }
}

TEST_P(EveryFamily, EveryWrongShapeIsNamed) {
  const TensorMap two = test::mmdit_tensors({.family = GetParam(), .depth = 2});
  const TensorMap one = test::mmdit_tensors({.family = GetParam(), .depth = 1});
  test::RecordingBackend backend;
  for (const auto& [name, tensor] : two) {
    if (!belongs_to_first_of_two(name) && one.count(name) == 0) continue;
    const TensorMap& whole = belongs_to_first_of_two(name) ? two : one;
    TensorMap map = whole;
    map[name] = test::tensor_of({3}, {1, 2, 3});
    const Error error =
        test::error_of([&] { (void)load_tiny<Mmdit>(backend, map, Compute::kF32); });
    EXPECT_EQ(error.code(), Code::kModelMismatch) << error.what();
    EXPECT_NE(std::string(error.what()).find("tensor \"" + name + "\""), std::string::npos)
        << name << ": " << error.what();
  }
}

TEST(Mmdit, ExtraTensorsAreNamed) {
  test::RecordingBackend backend;
  TensorMap map = test::mmdit_tensors({});
  map["transformer_blocks.1.attn.to_add_out.weight"] = test::tensor_of({1}, {1});
  expect_error(Code::kModelMismatch, "1 unknown (transformer_blocks.1.attn.to_add_out.weight)",
               [&] { (void)load_tiny<Mmdit>(backend, map, Compute::kF32); });
}

TEST(Mmdit, DepthMustFitTheWidth) {
  test::RecordingBackend backend;
  TensorMap map = test::mmdit_tensors({.depth = 2});
  map["transformer_blocks.5.attn.to_q.weight"] = test::tensor_of({1}, {1});
  expect_error(Code::kModelMismatch, "width 128 and 6 blocks",
               [&] { (void)load_tiny<Mmdit>(backend, map, Compute::kF32); });
  expect_error(Code::kModelMismatch, "pos_embed.proj.weight",
               [&] { (void)load_tiny<Mmdit>(backend, {}, Compute::kF32); });
}

TEST(Mmdit, PositionTableMustBeSquare) {
  test::RecordingBackend backend;
  TensorMap map = test::mmdit_tensors({});
  map["pos_embed.pos_embed"] = test::tensor_of({1, 48, 128}, std::vector<float>(48 * 128));
  expect_error(Code::kModelMismatch, "square",
               [&] { (void)load_tiny<Mmdit>(backend, map, Compute::kF32); });
}

// A velocity has the channels of the latents.
TEST(Mmdit, OutputMustHaveTheChannelsOfTheInput) {
  test::RecordingBackend backend;
  TensorMap map = test::mmdit_tensors({});
  map["proj_out.weight"] = test::tensor_of({24, 128}, std::vector<float>(24 * 128));
  map["proj_out.bias"] = test::tensor_of({24}, std::vector<float>(24));
  expect_error(Code::kModelMismatch, "proj_out.weight",
               [&] { (void)load_tiny<Mmdit>(backend, map, Compute::kF32); });
}

TEST(Mmdit, SizesBeyondThePositionTableFailACheck) {
  test::RecordingBackend backend;
  const auto model = load_tiny<Mmdit>(backend, test::mmdit_tensors({}), Compute::kF32);
  EXPECT_NO_THROW((void)run_forward(backend, model, {1, 14, 14, 1}));
  expect_error(Code::kInternal, "add_position_crop", [&] {
    (void)run_forward(backend, model, {1, 16, 2, 1});
  });
  expect_error(Code::kInternal, "patchify", [&] {
    (void)run_forward(backend, model, {1, 3, 2, 1});
  });
}

// Embedders, modulation and output never round their inputs to 8 bits.
TEST(Mmdit, Fp8ReachesOnlyTheLargeLayers) {
  const TensorMap fp8 = test::with_fp8_blocks(test::mmdit_tensors({}));
  test::RecordingBackend backend({.stream = DType::kBF16});
  const auto model = load_tiny<Mmdit>(backend, fp8, Compute::kFP8);
  backend.clear();
  (void)run_forward(backend, model, {1, 4, 4, 3});
  std::size_t attentions = 0;
  for (const test::OpRecord& r : backend.ops()) {
    EXPECT_NE(r.op, "quantize_fp8") << "fused into the ops before";
    EXPECT_TRUE(r.op != "attention" || r.dst.dtype == DType::kF8E4M3);
    EXPECT_TRUE(r.op != "patchify" || r.dst.dtype == DType::kBF16);
    attentions += r.op == "attention" ? 1 : 0;
  }
  EXPECT_EQ(attentions, 2u);
}

TEST(Mmdit, Description) {
  test::RecordingBackend backend;
  const auto model = load_tiny<Mmdit>(backend, test::mmdit_tensors({.family = Family::kSd35Medium}),
                                      Compute::kF32);
  EXPECT_EQ(model.config().describe(), "MMDiT like sd3.5-medium, 2 blocks, width 128");
}

}  // namespace
}  // namespace octet
