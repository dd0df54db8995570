// LoRA through the public entry, on the FP8 transformer of a model folder that diffusers wrote.
#include <gtest/gtest.h>

#include "octet/engine.h"
#include "support/errors.h"
#include "support/layouts.h"
#include "support/temp_folder.h"
#include "support/tiny_pipeline.h"

namespace octet {
namespace {

using test::expect_error;
using test::TensorMap;

/// A change of one layer of the tiny model, in the names of PEFT.
TensorMap change(const std::string& layer, unsigned seed) {
  constexpr std::int64_t kWidth = 128, kRank = 4;
  test::Random random(seed);
  return {{layer + ".lora_A.weight", test::random_tensor({kRank, kWidth}, random, 0.3f)},
          {layer + ".lora_B.weight", test::random_tensor({kWidth, kRank}, random, 0.3f)}};
}

class LoraEngine : public testing::TestWithParam<bool> {
 protected:
  LoraEngine() {
    for (const auto& [name, bytes] : test::tiny_folder({.fp8 = GetParam()})) {
      folder_.write("m/" + name, bytes);
    }
    first_ = write("first", change("transformer.transformer_blocks.0.attn.to_q", 1));
    second_ = write("second", change("transformer.transformer_blocks.1.attn.to_out.0", 2));
  }
  std::string write(const std::string& name, const TensorMap& tensors) {
    return folder_.write(name + ".safetensors", test::safetensors_of(tensors));
  }
  std::vector<std::uint8_t> picture(const std::vector<LoraOption>& loras, int threads = 1) {
    Engine engine(
        {.model = folder_.path() + "/m", .device = "cpu", .threads = threads, .loras = loras});
    info_ = engine.model();
    return engine.generate({.prompt = "a red apple", .steps = 2, .seed = 5}, {}).pictures[0].rgb;
  }
  test::TempFolder folder_;
  std::string first_, second_;
  ModelInfo info_;
};

TEST_P(LoraEngine, SeveralWithWeightsOfTheirOwn) {
  const auto plain = picture({});
  const std::string digest = info_.digest;
  const auto both = picture({{.path = first_, .weight = 0.8f}, {.path = second_, .weight = -1.5f}});
  ASSERT_EQ(info_.loras.size(), 2u);
  EXPECT_EQ(info_.loras[0].layers, 1);
  EXPECT_EQ(info_.loras[1].weight, -1.5f);
  ASSERT_EQ(info_.lora_merges.size(), 1u);
  EXPECT_EQ(info_.lora_merges[0].stored, GetParam() ? "F8_E4M3" : "F16");
  EXPECT_LT(info_.lora_merges[0].rounding, GetParam() ? 0.1 : 1e-3);
  EXPECT_NE(info_.digest, digest);
  EXPECT_EQ(info_.components[0].stored, GetParam() ? "F8_E4M3" : "F16")
      << "weights keep their type";
  EXPECT_NE(both, plain);
  EXPECT_NE(both, picture({{.path = first_, .weight = 0.8f}}));
  EXPECT_NE(both, picture({{.path = second_, .weight = -1.5f}}));
  EXPECT_NE(both, picture({{.path = first_, .weight = 0.4f}, {.path = second_, .weight = -1.5f}}));
  EXPECT_EQ(both,
            picture({{.path = first_, .weight = 0.8f}, {.path = second_, .weight = -1.5f}}, 2))
      << "the number of threads does not matter";
  EXPECT_EQ(picture({{.path = first_, .weight = 0}}), plain);
}

TEST_P(LoraEngine, WhatTheModelLacksIsNamed) {
  TensorMap tensors = change("transformer.transformer_blocks.2.attn.to_q", 1);
  expect_error(Code::kModelMismatch, "transformer_blocks.2.attn.to_q",
               [&] { (void)picture({{.path = write("layer", tensors)}}); });
  tensors = change("transformer.transformer_blocks.0.attn.to_q", 1);
  tensors["something.else"] = test::tensor_of({1}, {1});
  expect_error(Code::kModelMismatch, "something.else",
               [&] { (void)picture({{.path = write("key", tensors)}}); });
}

INSTANTIATE_TEST_SUITE_P(Weights, LoraEngine, testing::Bool(),
                         [](const auto& fp8) { return fp8.param ? "Fp8" : "F16"; });

}  // namespace
}  // namespace octet
