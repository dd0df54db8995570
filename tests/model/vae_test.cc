#include "model/vae.h"

#include <gtest/gtest.h>

#include "model/loaded.h"
#include "support/errors.h"
#include "support/recording_backend.h"

namespace octet {
namespace {

using test::expect_error;
using test::load_tiny;
using test::TensorMap;
using test::VaeSpec;

constexpr VaeOptions kTwoGroups{.norm_groups = 2};

std::size_t run_decode(Backend& backend, const Vae& vae, std::int64_t batch, std::int64_t h,
                       std::int64_t w) {
  Arena arena(backend.allocate(kNullArenaBytes));
  const std::int64_t f = vae.spatial_factor();
  const Tensor latents = arena.tensor(DType::kF32, {batch, vae.latent_channels(), h, w});
  const Tensor picture = arena.tensor(DType::kF32, {batch, f * h, f * w, 3});
  test::expect_gives_back(arena, [&] { vae.decode({backend, arena}, picture, latents); });
  return arena.peak();
}

std::size_t run_encode(Backend& backend, const Vae& vae, std::int64_t batch, std::int64_t h,
                       std::int64_t w) {
  Arena arena(backend.allocate(kNullArenaBytes));
  const std::int64_t f = vae.spatial_factor();
  const Tensor moments = arena.tensor(DType::kF32, {batch, h, w, 2 * vae.latent_channels()});
  const Tensor picture = arena.tensor(DType::kF32, {batch, f * h, f * w, 3});
  test::expect_gives_back(arena, [&] { vae.encode({backend, arena}, moments, picture); });
  return arena.peak();
}

TEST(Vae, SizesComeFromTheShapes) {
  test::RecordingBackend backend;
  const auto vae = load_tiny<Vae>(backend, test::vae_tensors({}), Compute::kF32, kTwoGroups);
  EXPECT_EQ(vae.latent_channels(), 5);
  EXPECT_EQ(vae.spatial_factor(), 8);
  const auto two =
      load_tiny<Vae>(backend, test::vae_tensors({.widths = {4, 6}}), Compute::kF32, kTwoGroups);
  EXPECT_EQ(two.spatial_factor(), 2);
}

TEST(Vae, RunsAtOddSizesInBothDirections) {
  const VaeSpec specs[] = {
      {}, {.channels = 16, .layers = 2, .widths = {6, 10}}, {.widths = {4}, .attention = false}};
  for (const VaeSpec& spec : specs) {
    for (const Compute compute : {Compute::kF32, Compute::kBF16}) {
      test::RecordingBackend backend({.stream = DType::kBF16});
      const auto vae = load_tiny<Vae>(backend, test::vae_tensors(spec), compute, kTwoGroups);
      const std::size_t one = run_decode(backend, vae, 1, 3, 5);
      EXPECT_GT(run_decode(backend, vae, 3, 7, 1), 0u);
      EXPECT_EQ(run_decode(backend, vae, 1, 3, 5), one);
      EXPECT_GT(run_encode(backend, vae, 2, 1, 9), 0u);
      EXPECT_EQ(backend.count("attention"), spec.attention ? 4u : 0u);
    }
  }
}

TEST(Vae, QuantConvolutionsAreAnotherVae) {
  test::RecordingBackend backend;
  TensorMap map = test::vae_tensors({});
  for (const char* name : {"quant_conv", "post_quant_conv"}) {
    map[std::string(name) + ".weight"] = test::tensor_of({5, 5, 1, 1}, std::vector<float>(25));
    map[std::string(name) + ".bias"] = test::tensor_of({5}, std::vector<float>(5));
  }
  expect_error(Code::kModelMismatch, "4 unknown (post_quant_conv.bias",
               [&] { (void)load_tiny<Vae>(backend, map, Compute::kF32, kTwoGroups); });
}

TEST(Vae, EveryMissingOrMisshapenTensorIsTyped) {
  const TensorMap whole = test::vae_tensors({.widths = {4, 6}});
  test::RecordingBackend backend;
  for (const auto& [name, tensor] : whole) {
    for (const test::Shape& shape : {test::Shape{}, test::Shape{7}, test::Shape{7, 1}}) {
      TensorMap map = whole;
      map[name] = test::tensor_of(shape, std::vector<float>(std::size_t(test::count_of(shape))));
      const Error error =
          test::error_of([&] { (void)load_tiny<Vae>(backend, map, Compute::kF32, kTwoGroups); });
      EXPECT_EQ(error.code(), Code::kModelMismatch) << name << ": " << error.what();
    }
    TensorMap map = whole;
    map.erase(name);
    const Error missing =
        test::error_of([&] { (void)load_tiny<Vae>(backend, map, Compute::kF32, kTwoGroups); });
    EXPECT_EQ(missing.code(), Code::kModelMismatch) << missing.what();
    // Resamplers and the attention are recognised by these; without them widths or names do not
    // fit, which the error says.
    const bool decides = name.find("samplers") != std::string::npos ||
                         name.find("attentions.0.to_q.weight") != std::string::npos;
    if (!decides) {
      EXPECT_NE(std::string(missing.what()).find(name), std::string::npos)
          << name << ": " << missing.what();
    }
  }
}

TEST(Vae, GroupsMustDivideEveryWidth) {
  test::RecordingBackend backend;
  for (const std::int64_t groups : {3, 4, 32}) {
    expect_error(Code::kModelMismatch, "norm_num_groups", [&] {
      (void)load_tiny<Vae>(backend, test::vae_tensors({.widths = {4, 6}}), Compute::kF32,
                           VaeOptions{.norm_groups = groups});
    });
  }
}

TEST(Vae, WidthsMustFollowOnEachOther) {
  // The decoder of one model with the encoder of another is fine; mixed levels are not.
  test::RecordingBackend backend;
  const TensorMap narrow = test::vae_tensors({.widths = {4, 6}});
  const TensorMap wide = test::vae_tensors({.widths = {8, 6}});
  TensorMap map = narrow;
  for (const auto& [name, tensor] : wide) {
    if (name.starts_with("decoder.up_blocks.1.")) map[name] = tensor;
  }
  for (const auto& [name, tensor] : narrow) {
    if (name.starts_with("decoder.up_blocks.1.") && wide.count(name) == 0) map.erase(name);
  }
  expect_error(Code::kModelMismatch, "vae: expected widths that follow",
               [&] { (void)load_tiny<Vae>(backend, map, Compute::kF32, kTwoGroups); });
}

TEST(Vae, PicturesHaveThreeChannels) {
  test::RecordingBackend backend;
  TensorMap map = test::vae_tensors({});
  map["decoder.conv_out.weight"] = test::tensor_of({4, 4, 3, 3}, std::vector<float>(144));
  map["decoder.conv_out.bias"] = test::tensor_of({4}, std::vector<float>(4));
  expect_error(Code::kModelMismatch, "3 channels, found 4",
               [&] { (void)load_tiny<Vae>(backend, map, Compute::kF32, kTwoGroups); });
}

// The encoder of one model with the decoder of another.
Vae mixed(const VaeSpec& encoder, const VaeSpec& decoder, std::int64_t groups = 2) {
  test::RecordingBackend backend;
  TensorMap map;
  for (const auto& [name, t] : test::vae_tensors(encoder)) {
    if (name.starts_with("encoder.")) map[name] = t;
  }
  for (const auto& [name, t] : test::vae_tensors(decoder)) {
    if (name.starts_with("decoder.")) map[name] = t;
  }
  return load_tiny<Vae>(backend, map, Compute::kF32, VaeOptions{.norm_groups = groups});
}

TEST(Vae, GroupsOfEachDirection) {
  EXPECT_NO_THROW((void)mixed({.widths = {4, 8}}, {.widths = {8, 4}}, 4));
  expect_error(Code::kModelMismatch, "norm_num_groups", [] {
    (void)mixed({.widths = {4, 8}}, {.widths = {4, 6}}, 4);
  });
  expect_error(Code::kModelMismatch, "norm_num_groups", [] {
    (void)mixed({.widths = {4, 6}}, {.widths = {4, 8}}, 4);
  });
}

TEST(Vae, BothDirectionsMustAgree) {
  EXPECT_NO_THROW((void)mixed({.widths = {4, 6}}, {.widths = {8, 4}}));
  expect_error(Code::kModelMismatch, "latent", [&] {
    (void)mixed({.channels = 4, .widths = {4, 6}}, {.widths = {4, 6}});
  });
  expect_error(Code::kModelMismatch, "level", [&] {
    (void)mixed({.widths = {4, 6}}, {.widths = {4, 6, 6}});
  });
}

// Each level doubles the picture: without a limit a small file asks for more than there are bytes.
TEST(Vae, ManyLevelsAreRefused) {
  test::RecordingBackend backend;
  const std::vector<std::int64_t> widths(70, 2);
  expect_error(Code::kModelMismatch, "level", [&] {
    (void)load_tiny<Vae>(backend, test::vae_tensors({.widths = widths}), Compute::kF32, kTwoGroups);
  });
}

}  // namespace
}  // namespace octet
