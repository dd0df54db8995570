// Decisions: which blocks stay, what the plan holds, which names count as what.
#include "quantize/calibration.h"

#include <gtest/gtest.h>

#include <cmath>

#include "quantize/layer_roles.h"

namespace octet {
namespace {

LayerReport layer(const std::string& name, double error) {
  LayerReport l{.name = name};
  l.calibration_error = error;
  l.input_scale = 0.5f;
  return l;
}

TEST(Calibration, ABlockStaysForItsWorstLayer) {
  const std::vector<LayerReport> layers = {
      layer("transformer_blocks.0.ff.net.2", 0.05), layer("transformer_blocks.35.attn.to_q", 0.02),
      layer("transformer_blocks.35.ff.net.2", 0.11), layer("transformer_blocks.4.ff.net.2", NAN)};
  EXPECT_EQ(blocks_to_keep(layers, 0.1), (std::vector<int>{4, 35}));
  EXPECT_EQ(blocks_to_keep(layers, 0.2), (std::vector<int>{4})) << "no number keeps a block";
  const Fp8Plan plan = plan_of({.modulation_fp8 = true}, layers, {4, 35});
  EXPECT_EQ(plan.input_scales,
            (std::map<std::string, float>{{"transformer_blocks.0.ff.net.2", 0.5f}}));
  EXPECT_TRUE(plan.modulation_fp8);
}

TEST(LayerRoles, ByNameAndShape) {
  const std::vector<std::int64_t> matrix = {4, 4};
  const std::string block = "transformer_blocks.12.";
  for (const char* name : {"attn.to_q", "attn.add_v_proj", "attn.to_out.0", "attn.to_add_out",
                           "attn2.to_k", "ff.net.0.proj", "ff.net.2", "ff_context.net.2"}) {
    EXPECT_EQ(role_of(block + name + ".weight", matrix), LayerRole::kBlockLinear) << name;
    EXPECT_EQ(role_of(block + name + ".bias", {4}), LayerRole::kKept) << name;
  }
  for (const char* name : {"norm1.linear", "norm1_context.linear"}) {
    EXPECT_EQ(role_of(block + name + ".weight", matrix), LayerRole::kModulation) << name;
  }
  EXPECT_EQ(role_of("norm_out.linear.weight", matrix), LayerRole::kModulation);
  for (const char* name :
       {"proj_out.weight", "context_embedder.weight", "pos_embed.pos_embed",
        "time_text_embed.text_embedder.linear_1.weight", "text_model.encoder.attn.to_q.weight"}) {
    EXPECT_EQ(role_of(name, matrix), LayerRole::kKept) << name;
  }
  EXPECT_EQ(role_of("pos_embed.proj.weight", {4, 4, 2, 2}), LayerRole::kKept);
  EXPECT_EQ(role_of(block + "attn.norm_q.weight", {64}), LayerRole::kKept);
}

TEST(LayerRoles, BlocksAndGroups) {
  EXPECT_EQ(block_of("transformer_blocks.35.ff.net.2"), 35);
  EXPECT_EQ(block_of("transformer_blocks.x"), -1);
  EXPECT_EQ(block_of("proj_out"), -1);
  EXPECT_EQ(group_of("a.attn.to_v"),
            (std::vector<std::string>{"a.attn.to_q", "a.attn.to_k", "a.attn.to_v"}));
  EXPECT_EQ(
      group_of("a.attn.add_q_proj"),
      (std::vector<std::string>{"a.attn.add_q_proj", "a.attn.add_k_proj", "a.attn.add_v_proj"}));
  EXPECT_EQ(group_of("a.ff.net.2"), (std::vector<std::string>{"a.ff.net.2"}));
}

}  // namespace
}  // namespace octet
