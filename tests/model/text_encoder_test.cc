#include <gtest/gtest.h>

#include "model/clip.h"
#include "model/loaded.h"
#include "model/t5.h"
#include "support/errors.h"
#include "support/recording_backend.h"

namespace octet {
namespace {

using test::ClipSpec;
using test::expect_error;
using test::load_tiny;
using test::T5Spec;
using test::TensorMap;

constexpr ClipOptions kThreeHeads{.heads = 3};

std::size_t run_clip(Backend& backend, const ClipTextEncoder& clip, std::int64_t batch,
                     std::int64_t tokens) {
  Arena arena(backend.allocate(kNullArenaBytes));
  const Tensor ids = arena.tensor(DType::kI32, {batch, tokens});
  // A slice of a wider row, as in the conditioning.
  const Tensor rows = arena.tensor(DType::kF32, {batch, tokens, clip.width() + 5});
  const Tensor pooled = arena.tensor(DType::kF32, {batch, clip.pooled_width()});
  const std::vector<std::int64_t> end(static_cast<std::size_t>(batch), tokens - 1);
  test::expect_gives_back(arena, [&] {
    clip.forward({backend, arena}, slice(rows, 2, 5, clip.width() + 5), pooled, ids, end);
  });
  return arena.peak();
}

TEST(Clip, SizesComeFromTheShapes) {
  test::RecordingBackend backend;
  const auto clip = load_tiny<ClipTextEncoder>(
      backend, test::clip_tensors({.vocabulary = 51, .tokens = 13, .layers = 3, .projection = 31}),
      Compute::kF32, kThreeHeads);
  EXPECT_EQ(clip.width(), 24);
  EXPECT_EQ(clip.vocabulary(), 51);
  EXPECT_EQ(clip.max_tokens(), 13);
  EXPECT_EQ(clip.layers(), 3u);
  EXPECT_EQ(clip.pooled_width(), 31);
}

TEST(Clip, RunsAtOddSizes) {
  for (const std::int64_t projection : {0, 31}) {
    for (const Compute compute : {Compute::kF32, Compute::kBF16}) {
      test::RecordingBackend backend({.stream = DType::kBF16});
      const auto clip = load_tiny<ClipTextEncoder>(
          backend, test::clip_tensors({.projection = projection}), compute, kThreeHeads);
      const std::size_t one = run_clip(backend, clip, 1, 77);
      EXPECT_GT(run_clip(backend, clip, 3, 50), 0u);
      EXPECT_GT(run_clip(backend, clip, 2, 1), 0u);
      EXPECT_EQ(run_clip(backend, clip, 1, 77), one);
    }
  }
}

TEST(Clip, PrefixOfTheNamesIsOptional) {
  test::RecordingBackend backend;
  WeightReader reader({.name = "text_encoder", .family = Family::kClip},
                      {open_tensor_file(test::source_of(
                          "file", test::safetensors_of(test::clip_tensors({.prefix = ""}))))});
  const ClipTextEncoder clip(Loader(reader, backend, Compute::kF32), kThreeHeads);
  EXPECT_NO_THROW(reader.finish());
  EXPECT_EQ(clip.layers(), 2u);
}

TEST(Clip, IdentityProjectionIsNotApplied) {
  test::RecordingBackend backend;
  const auto run = [&](const ClipSpec& spec) {
    const auto clip =
        load_tiny<ClipTextEncoder>(backend, test::clip_tensors(spec), Compute::kF32, kThreeHeads);
    backend.clear();
    (void)run_clip(backend, clip, 1, 5);
    return backend.count("linear");
  };
  const std::size_t without = run({});
  EXPECT_EQ(run({.identity_projection = true}), without);
  EXPECT_EQ(run({.projection = 24}), without + 1);
}

TEST(Clip, HeadsMustDivideTheWidth) {
  test::RecordingBackend backend;
  for (const std::int64_t heads : {std::int64_t{0}, std::int64_t{5}, std::int64_t{25}}) {
    expect_error(Code::kModelMismatch, "divide width 24", [&] {
      (void)load_tiny<ClipTextEncoder>(backend, test::clip_tensors({}), Compute::kF32,
                                       ClipOptions{.heads = heads});
    });
  }
}

TEST(Clip, WithoutLayersThereIsNoHiddenState) {
  test::RecordingBackend backend;
  expect_error(Code::kModelMismatch, "layers", [&] {
    (void)load_tiny<ClipTextEncoder>(backend, test::clip_tensors({.layers = 0}), Compute::kF32,
                                     kThreeHeads);
  });
}

// Every tensor left out or of another shape is named.
template <typename Model, typename Options>
void expect_strict(const TensorMap& whole, const Options& options) {
  test::RecordingBackend backend;
  for (const auto& [name, tensor] : whole) {
    TensorMap map = whole;
    map[name] = test::tensor_of({3}, {1, 2, 3});
    const Error wrong =
        test::error_of([&] { (void)load_tiny<Model>(backend, map, Compute::kBF16, options); });
    EXPECT_EQ(wrong.code(), Code::kModelMismatch) << wrong.what();
    EXPECT_NE(std::string(wrong.what()).find(name), std::string::npos)
        << name << ": " << wrong.what();
    if (name == "text_projection.weight") continue;  // optional
    map.erase(name);
    const Error missing =
        test::error_of([&] { (void)load_tiny<Model>(backend, map, Compute::kBF16, options); });
    EXPECT_EQ(missing.code(), Code::kModelMismatch) << missing.what();
    // The first layer norm decides on the prefix of the names, the token table of T5 on its name.
    const bool renames = name == "text_model.final_layer_norm.weight" || name == "shared.weight";
    if (!renames) {
      EXPECT_NE(std::string(missing.what()).find(name), std::string::npos)
          << name << ": " << missing.what();
    }
  }
  TensorMap map = whole;
  map["quite.unknown"] = test::tensor_of({1}, {1});
  expect_error(Code::kModelMismatch, "unknown (quite.unknown)",
               [&] { (void)load_tiny<Model>(backend, map, Compute::kBF16, options); });
}

TEST(Clip, IsStrictAboutItsTensors) {
  expect_strict<ClipTextEncoder>(test::clip_tensors({.projection = 31}), kThreeHeads);
}
TEST(T5, IsStrictAboutItsTensors) { expect_strict<T5Encoder>(test::t5_tensors({}), T5Options{}); }

// A column count may be anything where there are no rows.
TEST(TextEncoders, HostileSizesAreTypedErrors) {
  test::RecordingBackend backend;
  const std::int64_t huge = std::int64_t{1} << 48;
  for (const test::Shape& shape :
       {test::Shape{0, huge}, test::Shape{0, 24}, test::Shape{100, 0}, test::Shape{0, 0}}) {
    TensorMap clip = test::clip_tensors({});
    clip["text_model.embeddings.token_embedding.weight"] = {.dims = shape, .data = {}};
    expect_error(Code::kModelMismatch, "", [&] {
      (void)load_tiny<ClipTextEncoder>(backend, clip, Compute::kF32, kThreeHeads);
    });
    TensorMap t5 = test::t5_tensors({});
    t5["shared.weight"] = {.dims = shape, .data = {}};
    expect_error(Code::kModelMismatch, "",
                 [&] { (void)load_tiny<T5Encoder>(backend, t5, Compute::kF32, T5Options{}); });
  }
}

std::size_t run_t5(Backend& backend, const T5Encoder& t5, std::int64_t batch, std::int64_t tokens) {
  Arena arena(backend.allocate(kNullArenaBytes));
  const Tensor ids = arena.tensor(DType::kI32, {batch, tokens});
  const Tensor rows = arena.tensor(DType::kF32, {batch, tokens + 7, t5.width()});
  test::expect_gives_back(arena, [&] {
    t5.forward({backend, arena}, slice(rows, 1, 7, tokens + 7), ids);
  });
  return arena.peak();
}

TEST(T5, RunsAtOddSizes) {
  for (const Compute compute : {Compute::kF32, Compute::kBF16}) {
    test::RecordingBackend backend({.stream = DType::kBF16});
    const auto t5 =
        load_tiny<T5Encoder>(backend, test::t5_tensors({.layers = 3}), compute, T5Options{});
    EXPECT_EQ(t5.width(), 72);
    EXPECT_EQ(t5.layers(), 3u);
    EXPECT_EQ(t5.vocabulary(), 100);
    const std::size_t one = run_t5(backend, t5, 1, 33);
    EXPECT_GT(run_t5(backend, t5, 3, 1), 0u);
    EXPECT_GT(run_t5(backend, t5, 2, 513), one);
    EXPECT_EQ(run_t5(backend, t5, 1, 33), one);
  }
}

TEST(T5, TheOtherNameOfTheTokenTable) {
  test::RecordingBackend backend;
  TensorMap map = test::t5_tensors({});
  map["encoder.embed_tokens.weight"] = map["shared.weight"];
  EXPECT_NO_THROW((void)load_tiny<T5Encoder>(backend, map, Compute::kF32, T5Options{}));
  map.erase("shared.weight");
  EXPECT_NO_THROW((void)load_tiny<T5Encoder>(backend, map, Compute::kF32, T5Options{}));
}

TEST(T5, HeadsMustDivideTheInnerWidth) {
  test::RecordingBackend backend;
  TensorMap map = test::t5_tensors({});
  map["encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"] =
      test::tensor_of({32, 4}, std::vector<float>(128));
  expect_error(Code::kModelMismatch, "multiple of 4 heads",
               [&] { (void)load_tiny<T5Encoder>(backend, map, Compute::kF32, T5Options{}); });
}

}  // namespace
}  // namespace octet
