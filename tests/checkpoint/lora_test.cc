// Parsing of LoRA files, their names and scales, and the arithmetic of merging.
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "checkpoint/lora_adapter.h"
#include "checkpoint/lora_file.h"
#include "checkpoint/lora_merge.h"
#include "checkpoint/lora_names.h"
#include "checkpoint/lora_patch.h"
#include "support/errors.h"
#include "support/tensors.h"
#include "tensor/float_formats.h"

namespace octet {
namespace {

using test::error_of;
using test::expect_error;
using test::Random;
using test::tensor_of;
using test::TensorMap;

LoraFile open_lora(const TensorMap& map) {
  return LoraFile(open_tensor_file(test::source_of("style", test::safetensors_of(map))));
}

// Rank 2, 3 inputs, 4 outputs.
TensorMap one_layer(const std::string& down = "layer.lora_A.weight",
                    const std::string& up = "layer.lora_B.weight") {
  TensorMap map;
  map[down] = tensor_of({2, 3}, {1, 2, 3, 4, 5, 6});
  map[up] = tensor_of({4, 2}, {1, 0, 0, 1, 1, 1, 2, -1});
  return map;
}

TEST(LoraFile, EverySpellingOfTheFactors) {
  const std::pair<const char*, const char*> spellings[] = {
      {".lora_A.weight", ".lora_B.weight"},
      {".lora_down.weight", ".lora_up.weight"},
      {".lora.down.weight", ".lora.up.weight"},
      {"_lora.down.weight", "_lora.up.weight"},
      {".lora_A.default.weight", ".lora_B.default.weight"},
      {".lora_linear_layer.down.weight", ".lora_linear_layer.up.weight"}};
  for (const auto& [down, up] : spellings) {
    const LoraFile file = open_lora(one_layer(std::string("a.b") + down, std::string("a.b") + up));
    ASSERT_EQ(file.modules().count("a.b"), 1u) << down;
    EXPECT_EQ(file.modules().at("a.b").rank, 2);
    EXPECT_EQ(file.modules().at("a.b").scale, 1);
  }
}

TEST(LoraFile, AlphaOverRank) {
  TensorMap map = one_layer();
  map["layer.alpha"] = tensor_of({}, {3}, DType::kF16);
  EXPECT_EQ(open_lora(map).modules().at("layer").scale, 1.5f);
  for (const float wrong : {0.0f, -1.0f, INFINITY, NAN}) {
    map["layer.alpha"] = tensor_of({}, {wrong});
    expect_error(Code::kCorruptFile, "layer.alpha", [&] { (void)open_lora(map); });
  }
  map["layer.alpha"] = tensor_of({2}, {1, 1});
  expect_error(Code::kCorruptFile, "expected one value", [&] { (void)open_lora(map); });
}

TEST(LoraFile, WhatDoesNotBelongIsNamed) {
  TensorMap map = one_layer();
  for (int i = 0; i < 7; ++i) map["extra." + std::to_string(i)] = tensor_of({1}, {0});
  expect_error(Code::kModelMismatch,
               "found 7 others (extra.0, extra.1, extra.2, extra.3, extra.4 and 2 more)",
               [&] { (void)open_lora(map); });
  map = one_layer();
  map.erase("layer.lora_B.weight");
  expect_error(Code::kModelMismatch, "both low-rank factors of every layer, found layer",
               [&] { (void)open_lora(map); });
  expect_error(Code::kModelMismatch, "no tensors", [&] { (void)open_lora({}); });
  map = one_layer();
  map["layer.lora_down.weight"] = map["layer.lora_A.weight"];
  expect_error(Code::kModelMismatch, "mean the same", [&] { (void)open_lora(map); });
}

TEST(LoraFile, OtherMethodsAreRefusedByName) {
  const std::pair<const char*, const char*> others[] = {
      {"layer.dora_scale", "DoRA"},      {"layer.lora_magnitude_vector", "DoRA"},
      {"layer.hada_w1_a", "LoHa"},       {"layer.lokr_w1", "LoKr"},
      {"layer.diff", "full difference"}, {"layer.lora_B.bias", "a bias"}};
  for (const auto& [tensor, name] : others) {
    TensorMap map = one_layer();
    map[tensor] = tensor_of({1}, {1});
    expect_error(Code::kUnsupported, name, [&] { (void)open_lora(map); });
  }
}

TEST(LoraFile, ShapesAndTypesThatCannotBe) {
  TensorMap map = one_layer();
  map["layer.lora_B.weight"] = tensor_of({4, 3}, std::vector<float>(12));
  expect_error(Code::kModelMismatch, "found [2, 3] and [4, 3]", [&] { (void)open_lora(map); });
  map["layer.lora_B.weight"] = tensor_of({8}, std::vector<float>(8));
  expect_error(Code::kModelMismatch, "expected factors", [&] { (void)open_lora(map); });
  map["layer.lora_B.weight"] = tensor_of({4, 2}, std::vector<float>(8), DType::kF8E4M3);
  expect_error(Code::kUnsupported, "found F8_E4M3", [&] { (void)open_lora(map); });
  map = one_layer();
  map["layer.lora_A.weight"] = tensor_of({2, 3}, {1, 2, NAN, 4, 5, 6});
  const LoraFile file = open_lora(map);
  expect_error(Code::kCorruptFile, "layer.lora_A.weight",
               [&] { (void)file.values(*file.modules().at("layer").down); });
}

TEST(LoraFile, DigestSeesEveryValueAndScale) {
  const std::string digest = open_lora(one_layer()).digest();
  EXPECT_EQ(digest.size(), 64u);
  EXPECT_EQ(open_lora(one_layer()).digest(), digest);
  TensorMap map = one_layer();
  map["layer.lora_A.weight"] = tensor_of({2, 3}, {1, 2, 3, 4, 5, 7});
  EXPECT_NE(open_lora(map).digest(), digest);
  EXPECT_NE(open_lora(one_layer("other.lora_A.weight", "other.lora_B.weight")).digest(), digest);
}

float scale_of(const nlohmann::json& settings, const std::string& module, std::int64_t rank = 4) {
  return LoraAdapter("style", {{"lora_adapter_metadata", settings.dump()}}).scale(module, rank);
}

TEST(LoraAdapter, AlphaOfTheComponent) {
  const nlohmann::json both = {{"transformer.lora_alpha", 8},
                               {"transformer.r", 4},
                               {"text_encoder.lora_alpha", 1.0},
                               {"transformer.use_dora", false}};
  EXPECT_EQ(scale_of(both, "transformer.blocks.0.to_q"), 2);
  EXPECT_EQ(scale_of(both, "text_encoder.layers.0.q"), 0.25f);
  EXPECT_EQ(scale_of(both, "text_encoder_2.layers.0.q"), 1);
  EXPECT_EQ(LoraAdapter("style", {}).scale("transformer.x", 4), 1);
}

TEST(LoraAdapter, PatternsAndRootOfTheRank) {
  const nlohmann::json settings = {{"transformer.lora_alpha", 8},
                                   {"transformer.use_rslora", true},
                                   {"transformer.alpha_pattern", {{"attn.to_q", 2}}}};
  EXPECT_EQ(scale_of(settings, "transformer.b.0.attn.to_k"), 4);
  EXPECT_EQ(scale_of(settings, "transformer.b.0.attn.to_q"), 1);
  EXPECT_EQ(scale_of(settings, "transformer.b.0.xattn.to_q"), 4);
}

TEST(LoraAdapter, SettingsThatAreNotUnderstoodAreRefused) {
  const auto refuse = [](Code code, const std::string& part, const nlohmann::json& settings) {
    expect_error(code, part, [&] { (void)scale_of(settings, "transformer.x"); });
  };
  refuse(Code::kUnsupported, "use_dora", {{"transformer.use_dora", true}});
  refuse(Code::kUnsupported, "lora_bias", {{"transformer.lora_bias", true}});
  refuse(Code::kUnsupported, "alpha_pattern", {{"transformer.alpha_pattern", {{"a.*", 1}}}});
  refuse(Code::kCorruptFile, "above 0", {{"transformer.lora_alpha", "8"}});
  refuse(Code::kCorruptFile, "above 0", {{"transformer.lora_alpha", 0}});
  refuse(Code::kCorruptFile, "JSON object", nlohmann::json::array());
  expect_error(Code::kCorruptFile, "JSON object", [] {
    (void)LoraAdapter("style", {{"lora_adapter_metadata", std::string(100000, '[')}});
  });
}

bool has_name(const std::string& component, const std::string& layer, const LoraName& expected) {
  for (const LoraName& n : lora_names(component, layer, 24)) {
    if (n.name != expected.name) continue;
    return n.part == expected.part && n.parts == expected.parts && n.swapped == expected.swapped;
  }
  return false;
}

TEST(LoraNames, OfTheTransformer) {
  const std::string q = "transformer_blocks.7.attn.add_k_proj";
  for (const char* name : {"transformer.transformer_blocks.7.attn.add_k_proj",
                           "base_model.model.transformer_blocks.7.attn.add_k_proj",
                           "lora_transformer_transformer_blocks_7_attn_add_k_proj",
                           "transformer_blocks.7.attn.add_k_proj"}) {
    EXPECT_TRUE(has_name("transformer", q, {.name = name})) << name;
  }
  for (const char* name : {"lora_unet_joint_blocks_7_context_block_attn_qkv",
                           "diffusion_model.joint_blocks.7.context_block.attn.qkv"}) {
    EXPECT_TRUE(has_name("transformer", q, {.name = name, .part = 1, .parts = 3})) << name;
  }
  const auto swapped = [](const std::string& layer, const std::string& name, bool expected) {
    return has_name("transformer", layer, {.name = name, .swapped = expected});
  };
  EXPECT_TRUE(swapped("norm_out.linear", "lora_unet_final_layer_adaLN_modulation_1", true));
  EXPECT_TRUE(swapped("transformer_blocks.22.norm1_context.linear",
                      "lora_unet_joint_blocks_22_context_block_adaLN_modulation_1", false));
  EXPECT_TRUE(swapped("transformer_blocks.23.norm1_context.linear",
                      "lora_unet_joint_blocks_23_context_block_adaLN_modulation_1", true));
  EXPECT_TRUE(swapped("transformer_blocks.23.norm1.linear",
                      "lora_unet_joint_blocks_23_x_block_adaLN_modulation_1", false));
}

TEST(LoraNames, OfTheTextEncoders) {
  const std::string clip = "text_model.encoder.layers.3.self_attn.q_proj";
  EXPECT_TRUE(has_name("text_encoder", clip, {.name = "text_encoder." + clip}));
  EXPECT_TRUE(has_name("text_encoder", "encoder.layers.3.self_attn.q_proj",
                       {.name = "text_encoder." + clip}))
      << "models without the prefix";
  EXPECT_TRUE(has_name("text_encoder_2", clip,
                       {.name = "lora_te2_text_model_encoder_layers_3_self_attn_q_proj"}));
  EXPECT_TRUE(has_name("text_encoder_3", "encoder.block.0.layer.0.SelfAttention.q",
                       {.name = "lora_te3_encoder_block_0_layer_0_SelfAttention_q"}));
  EXPECT_EQ(lora_component("lora_te2_text_model_x"), "text_encoder_2");
  EXPECT_EQ(lora_component("text_encoder_2.text_model.x"), "text_encoder_2");
  EXPECT_EQ(lora_component("text_encoders.t5xxl.transformer.x"), "text_encoder_3");
  EXPECT_EQ(lora_component("unet.x"), "transformer");
}

constexpr std::int64_t kRows = 96, kColumns = 160, kRank = 4;

HostWeight random_weight(Random& random, DType dtype, ScaleKind kind) {
  HostWeight w{.name = "w", .dtype = dtype, .dims = {kRows, kColumns}};
  std::normal_distribution<float> normal(0, 0.02f);
  std::vector<float> values(kRows * kColumns);
  for (float& v : values) v = normal(random);
  if (kind != ScaleKind::kNone) {
    w.scale_kind = kind;
    w.block = kind == ScaleKind::kBlock ? 64 : 0;
    const std::size_t count = kind == ScaleKind::kTensor ? 1 : kind == ScaleKind::kRow ? kRows : 6;
    w.scale.assign(count, 0.1f / 448);
    for (float& v : values) v /= 0.1f / 448;
  }
  w.data.resize(values.size() * size_of(dtype));
  encode_from_f32(dtype, values.data(), w.data.data(), values.size());
  return w;
}

std::vector<float> values_of(const HostWeight& w) {
  std::vector<float> values(kRows * kColumns);
  decode_to_f32(w.dtype, w.data.data(), values.data(), values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::size_t row = i / kColumns, column = i % kColumns;
    if (w.scale_kind == ScaleKind::kTensor) values[i] *= w.scale[0];
    if (w.scale_kind == ScaleKind::kRow) values[i] *= w.scale[row];
    if (w.scale_kind == ScaleKind::kBlock) values[i] *= w.scale[row / 64 * 3 + column / 64];
  }
  return values;
}

LowRankChange random_change(Random& random, float scale) {
  LowRankChange c{.first_row = 32, .rows = 64, .rank = kRank, .up = {}, .down = {}};
  std::normal_distribution<float> normal(0, 1);
  for (std::int64_t i = 0; i < 64 * kRank; ++i) c.up.push_back(scale * normal(random));
  for (std::int64_t i = 0; i < kColumns * kRank; ++i) c.down.push_back(normal(random));
  return c;
}

// What the change is for element (row, column), naively.
std::vector<double> product_of(const LowRankChange& c) {
  std::vector<double> values(kRows * kColumns);
  for (std::int64_t r = 0; r < c.rows; ++r) {
    for (std::int64_t i = 0; i < kColumns; ++i) {
      for (std::int64_t k = 0; k < c.rank; ++k) {
        values[static_cast<std::size_t>((c.first_row + r) * kColumns + i)] +=
            static_cast<double>(c.up[static_cast<std::size_t>(r * c.rank + k)]) *
            static_cast<double>(c.down[static_cast<std::size_t>(k * kColumns + i)]);
      }
    }
  }
  return values;
}

struct Merged {
  double kept = 0;      // part of the change that arrived
  double rounding = 0;  // relative to the changed rows
  double said = 0;      // by merge_low_rank
};

// `change_part`: size of the change against the weight.
Merged merge(DType dtype, ScaleKind kind, double change_part) {
  Random random(5);
  HostWeight w = random_weight(random, dtype, kind);
  const std::vector<float> before = values_of(w);
  const auto scale = static_cast<float>(0.02 * change_part / std::sqrt(kRank));
  const LowRankChange c = random_change(random, scale);
  ThreadPool pool(2);
  Merged m;
  m.said = merge_low_rank(w, {&c, 1}, pool).relative();
  const std::vector<float> after = values_of(w);
  const std::vector<double> wanted = product_of(c);
  double arrived = 0, change = 0, error = 0, value = 0;
  for (std::size_t i = 0; i < after.size(); ++i) {
    const double moved = static_cast<double>(after[i]) - static_cast<double>(before[i]);
    if (i / kColumns < 32) {
      EXPECT_TRUE(moved == 0 || kind == ScaleKind::kBlock) << i;
      continue;
    }
    arrived += moved * wanted[i];
    change += wanted[i] * wanted[i];
    error += (moved - wanted[i]) * (moved - wanted[i]);
    value += std::pow(static_cast<double>(before[i]) + wanted[i], 2);
  }
  m.kept = arrived / change;
  m.rounding = std::sqrt(error / value);
  return m;
}

TEST(LoraMerge, FloatsAreExact) {
  const Merged m = merge(DType::kF32, ScaleKind::kNone, 0.05);
  EXPECT_NEAR(m.kept, 1, 1e-5);
  EXPECT_LT(m.rounding, 1e-7);
  EXPECT_EQ(m.said, 0);
}

TEST(LoraMerge, SmallChangesArriveInEveryType) {
  const std::tuple<DType, ScaleKind, double> cases[] = {
      {DType::kF16, ScaleKind::kNone, 6e-4},     {DType::kBF16, ScaleKind::kNone, 5e-3},
      {DType::kF8E4M3, ScaleKind::kNone, 0.5},   {DType::kF8E4M3, ScaleKind::kTensor, 0.04},
      {DType::kF8E4M3, ScaleKind::kRow, 0.04},   {DType::kF8E4M3, ScaleKind::kBlock, 0.05},
      {DType::kF8E5M2, ScaleKind::kTensor, 0.08}};
  for (const auto& [dtype, kind, limit] : cases) {
    for (const double part : {0.01, 0.1}) {
      if (dtype == DType::kF8E4M3 && kind == ScaleKind::kNone) continue;  // mostly subnormal
      const Merged m = merge(dtype, kind, part);
      EXPECT_NEAR(m.kept, 1, part < 0.05 ? 0.12 : 0.03) << name_of(dtype) << " " << part;
      EXPECT_LT(m.rounding, limit) << name_of(dtype) << " " << part;
      EXPECT_NEAR(m.said, m.rounding, kind == ScaleKind::kBlock ? 0.02 : 0.05 * m.rounding)
          << name_of(dtype) << " " << part;
    }
  }
}

TEST(LoraMerge, ScalesGrowByPowersOfTwoWhereTheChangeNeedsRoom) {
  Random random(5);
  HostWeight w = random_weight(random, DType::kF8E4M3, ScaleKind::kTensor);
  w.input_scale = 0.5f;
  const float old = w.scale[0];
  const LowRankChange c = random_change(random, 0.1f);
  ThreadPool pool(1);
  const RoundingError error = merge_low_rank(w, {&c, 1}, pool);
  EXPECT_LT(error.relative(), 0.05) << "nothing was cut off";
  ASSERT_EQ(w.scale_kind, ScaleKind::kRow);
  EXPECT_EQ(w.scale[0], old);
  const float factor = w.scale[50] / old;
  EXPECT_GT(factor, 1);
  EXPECT_EQ(std::exp2(std::round(std::log2(factor))), factor);
  EXPECT_EQ(w.input_scale, 0.5f);
}

TEST(LoraPatch, AChangeThatLeavesTheRangeIsRefused) {
  TensorMap map;
  map["transformer.proj_out.lora_A.weight"] =
      tensor_of({1, kColumns}, std::vector<float>(kColumns, 300));
  map["transformer.proj_out.lora_B.weight"] = tensor_of({kRows, 1}, std::vector<float>(kRows, 300));
  ThreadPool pool(1);
  LoraPatch patch("transformer", {{std::make_shared<LoraFile>(open_lora(map)), 1}}, {"proj_out"},
                  pool);
  Random random(5);
  HostWeight w = random_weight(random, DType::kF16, ScaleKind::kNone);
  const std::string layer = "proj_out";
  expect_error(Code::kModelMismatch, "found larger ones", [&] { patch.apply(w, {&layer, 1}); });
  LoraPatch unused("transformer", {{std::make_shared<LoraFile>(open_lora(map)), 1}}, {"proj_out"},
                   pool);
  expect_error(Code::kUnsupported, "found 1 others (proj_out)", [&] { unused.finish(); });
}

class RowsInMemory final : public DeferredBytes {
 public:
  RowsInMemory(std::vector<std::byte> bytes, std::int64_t rows)
      : bytes_(std::move(bytes)), rows_(rows) {}
  std::int64_t rows() const override { return rows_; }
  std::size_t row_bytes() const override { return bytes_.size() / static_cast<std::size_t>(rows_); }
  void read(std::int64_t first, std::int64_t count,
            std::span<std::byte> destination) const override {
    std::copy_n(bytes_.begin() + first * static_cast<std::ptrdiff_t>(row_bytes()),
                static_cast<std::size_t>(count) * row_bytes(), destination.begin());
  }

 private:
  std::vector<std::byte> bytes_;
  std::int64_t rows_;
};

// Backends that read weights themselves must not get around the change.
TEST(LoraPatch, WeightsThatAreNotYetReadAreReadForAChange) {
  TensorMap map;
  map["transformer.proj_out.lora_A.weight"] =
      tensor_of({1, kColumns}, std::vector<float>(kColumns, 0.1f));
  map["transformer.proj_out.lora_B.weight"] =
      tensor_of({kRows, 1}, std::vector<float>(kRows, 0.1f));
  ThreadPool pool(1);
  const std::vector<WeightedLora> loras = {{std::make_shared<LoraFile>(open_lora(map)), 1}};
  Random random(5);
  HostWeight direct = random_weight(random, DType::kF16, ScaleKind::kNone);
  HostWeight deferred = direct;
  deferred.deferred = {std::make_shared<RowsInMemory>(std::move(deferred.data), kRows)};
  deferred.data.clear();
  const std::string layer = "proj_out", other = "other";
  const std::vector<std::string> layers = {layer, other};
  LoraPatch("transformer", loras, layers, pool).apply(direct, {&layer, 1});
  HostWeight untouched = deferred;
  LoraPatch("transformer", loras, layers, pool).apply(deferred, {&layer, 1});
  EXPECT_TRUE(deferred.deferred.empty());
  EXPECT_EQ(deferred.data, direct.data);
  LoraPatch("transformer", loras, layers, pool).apply(untouched, {&other, 1});
  EXPECT_EQ(untouched.deferred.size(), 1u) << "without a change it stays where it is";
}

TEST(LoraPatch, TwoNamesOfOneLayerAreRefused) {
  TensorMap map =
      one_layer("transformer.proj_out.lora_A.weight", "transformer.proj_out.lora_B.weight");
  for (const auto& [name, tensor] : one_layer("diffusion_model.final_layer.linear.lora_A.weight",
                                              "diffusion_model.final_layer.linear.lora_B.weight")) {
    map[name] = tensor;
  }
  ThreadPool pool(1);
  const auto file = std::make_shared<LoraFile>(open_lora(map));
  expect_error(Code::kModelMismatch, "mean the same layer", [&] {
    LoraPatch("transformer", {{file, 1}}, {"proj_out"}, pool);
  });
}

}  // namespace
}  // namespace octet
