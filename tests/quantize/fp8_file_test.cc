// Files of both layouts, read back tensor by tensor.
#include "quantize/fp8_file.h"

#include <gtest/gtest.h>

#include <cstring>

#include "quantize/fp8_weight.h"
#include "quantize/layer_roles.h"
#include "support/errors.h"
#include "support/temp_folder.h"
#include "support/tiny_pipeline.h"

namespace octet {
namespace {

using test::TensorMap;

/// A source of random weights, and a plan that quantises all of its blocks but `kept`.
struct Source {
  explicit Source(test::Family family, DType dtype = DType::kF16)
      : tensors(test::as_dtype(test::mmdit_tensors({.family = family, .depth = 3}), dtype)) {
    auto files = test::tiny_folder({.family = family});
    files["transformer/diffusion_pytorch_model.safetensors"] = test::safetensors_of(tensors);
    folder.emplace(std::make_unique<test::MemoryFiles>(files));
    weights.emplace(*folder, "");
  }
  [[nodiscard]] Fp8Plan plan(int kept = -1) const {
    Fp8Plan plan;
    for (const auto& [name, t] : tensors) {
      if (role_of(name, t.dims) != LayerRole::kBlockLinear || block_of(name) == kept) continue;
      plan.input_scales[group_of(layer_of(name)).front()] = 0.25f;
    }
    return plan;
  }
  TensorMap tensors;
  std::optional<ModelFolder> folder;
  std::optional<SourceWeights> weights;
};

/// Writes the file and opens it again.
struct Written {
  Written(const Source& source, const Fp8Plan& plan) {
    ThreadPool pool(2);
    PendingFile pending(temp.path() + "/out.safetensors");
    Fp8File out(pending, fp8_tensors(*source.weights, plan, pool), 1000);
    int calls = 0;
    out.write({{"format", "pt"}}, [&](int done, int) { EXPECT_EQ(done, ++calls); });
    out.replace({{"format", "pt"}, {"note", "\"x\""}});
    pending.commit();
    file = open_tensor_file(open_file(temp.path() + "/out.safetensors"));
    EXPECT_EQ(open_file(temp.path() + "/out.safetensors")->size(), out.bytes());
  }
  [[nodiscard]] const TensorInfo& info(const std::string& name) const {
    return file->tensors().at(name);
  }
  [[nodiscard]] std::vector<std::byte> bytes(const std::string& name) const {
    return file->read(info(name));
  }
  [[nodiscard]] std::vector<float> floats(const std::string& name) const {
    const auto raw = bytes(name);
    std::vector<float> values(raw.size() / sizeof(float));
    std::memcpy(values.data(), raw.data(), raw.size());
    return values;
  }
  test::TempFolder temp;
  std::shared_ptr<const TensorFile> file;
};

HostWeight stored(const TensorMap& tensors, const std::string& name) {
  const test::TestTensor& t = tensors.at(name);
  return {.name = name, .dtype = *dtype_from_safetensors(t.dtype), .dims = t.dims, .data = t.data};
}

TEST(Fp8File, DiffusersNamesAndBytes) {
  const Source source(test::Family::kSd35Medium);
  const Written w(source, source.plan());
  EXPECT_EQ(w.file->metadata().at("note"), "\"x\"");
  ThreadPool pool(1);
  std::size_t quantised = 0;
  for (const auto& [name, t] : source.tensors) {
    if (role_of(name, t.dims) != LayerRole::kBlockLinear) {
      EXPECT_EQ(w.info(name).dtype_name, t.dtype) << name;
      EXPECT_EQ(w.bytes(name), t.data) << name;
      continue;
    }
    ++quantised;
    const HostWeight q = quantise_weight(stored(source.tensors, name), WeightScale::kRow, 1, pool);
    EXPECT_EQ(w.info(name).dtype_name, "F8_E4M3") << name;
    EXPECT_EQ(w.bytes(name), q.data) << name;
    EXPECT_EQ(w.info(name + "_scale").dims, (test::Shape{t.dims[0], 1}));
    EXPECT_EQ(w.floats(name + "_scale"), q.scale);
    const std::string input = layer_of(name) + ".input_scale";
    EXPECT_TRUE(w.info(input).dims.empty());
    EXPECT_EQ(w.floats(input), std::vector<float>{0.25f});
  }
  EXPECT_EQ(w.file->tensors().size(), source.tensors.size() + 2 * quantised);
  for (const auto& [name, info] : w.file->tensors()) {
    EXPECT_EQ(info.offset % size_of(*info.dtype), 0u) << name << " lies across elements";
  }
}

TEST(Fp8File, KeptBlocksAndModulation) {
  const Source source(test::Family::kSd35Large, DType::kF32);
  Fp8Plan plan = source.plan(1);
  plan.modulation_fp8 = true;
  const Written w(source, plan);
  EXPECT_EQ(w.info("transformer_blocks.0.ff.net.2.weight").dtype_name, "F8_E4M3");
  EXPECT_EQ(w.info("transformer_blocks.1.ff.net.2.weight").dtype_name, "BF16") << "from F32";
  EXPECT_EQ(w.info("transformer_blocks.1.ff.net.2.bias").dtype_name, "F32") << "vectors stay";
  EXPECT_EQ(w.file->tensors().count("transformer_blocks.1.ff.net.2.input_scale"), 0u);
  EXPECT_EQ(w.info("transformer_blocks.1.norm1.linear.weight").dtype_name, "F8_E4M3");
  EXPECT_EQ(w.file->tensors().count("transformer_blocks.1.norm1.linear.input_scale"), 0u);
  EXPECT_EQ(w.info("proj_out.weight").dtype_name, "BF16");
}

TEST(Fp8File, OneScaleForAWholeWeight) {
  const Source source(test::Family::kSd3Medium);
  Fp8Plan plan = source.plan();
  plan.weight_scale = WeightScale::kTensor;
  const Written w(source, plan);
  const std::string name = "transformer_blocks.0.attn.to_k.weight";
  EXPECT_TRUE(w.info(name + "_scale").dims.empty());
  ThreadPool pool(1);
  const HostWeight q = quantise_weight(stored(source.tensors, name), WeightScale::kTensor, 1, pool);
  EXPECT_EQ(w.floats(name + "_scale"), std::vector<float>{q.scale[0]});
  EXPECT_EQ(w.bytes(name), q.data);
}

// Rows [begin, end) of a tensor as bytes.
test::Bytes rows(const test::TestTensor& t, double begin, double end) {
  const auto at = [&](double part) {
    return t.data.begin() + static_cast<std::ptrdiff_t>(part * static_cast<double>(t.data.size()));
  };
  return {at(begin), at(end)};
}
test::Bytes joined(std::initializer_list<test::Bytes> parts) {
  test::Bytes all;
  for (const test::Bytes& p : parts) all.insert(all.end(), p.begin(), p.end());
  return all;
}

TEST(Fp8File, ComfyUiNamesFusionAndSwaps) {
  const Source source(test::Family::kSd35Medium);
  Fp8Plan plan = source.plan(0);
  plan.layout = Fp8Layout::kComfyUi;
  plan.weight_scale = WeightScale::kTensor;
  const Written w(source, plan);
  const std::string p = "model.diffusion_model.";
  const TensorMap& s = source.tensors;
  const std::string block = "transformer_blocks.";
  EXPECT_EQ(w.bytes(p + "x_embedder.proj.weight"), s.at("pos_embed.proj.weight").data);
  EXPECT_EQ(w.bytes(p + "t_embedder.mlp.2.bias"),
            s.at("time_text_embed.timestep_embedder.linear_2.bias").data);
  EXPECT_EQ(w.bytes(p + "joint_blocks.1.x_block.attn.ln_k.weight"),
            s.at(block + "1.attn.norm_k.weight").data);
  EXPECT_EQ(w.bytes(p + "joint_blocks.0.context_block.attn.qkv.weight"),
            joined({s.at(block + "0.attn.add_q_proj.weight").data,
                    s.at(block + "0.attn.add_k_proj.weight").data,
                    s.at(block + "0.attn.add_v_proj.weight").data}));
  EXPECT_EQ(w.bytes(p + "joint_blocks.0.x_block.attn2.qkv.bias"),
            joined({s.at(block + "0.attn2.to_q.bias").data, s.at(block + "0.attn2.to_k.bias").data,
                    s.at(block + "0.attn2.to_v.bias").data}));
  const auto swapped = [](const test::TestTensor& t) {
    return joined({rows(t, 0.5, 1), rows(t, 0, 0.5)});
  };
  EXPECT_EQ(w.bytes(p + "final_layer.adaLN_modulation.1.weight"),
            swapped(s.at("norm_out.linear.weight")));
  EXPECT_EQ(w.bytes(p + "joint_blocks.2.context_block.adaLN_modulation.1.bias"),
            swapped(s.at(block + "2.norm1_context.linear.bias")));
  EXPECT_EQ(w.bytes(p + "joint_blocks.1.context_block.adaLN_modulation.1.bias"),
            s.at(block + "1.norm1_context.linear.bias").data);

  const std::string qkv = p + "joint_blocks.1.x_block.attn.qkv";
  EXPECT_EQ(w.info(qkv + ".weight").dtype_name, "F8_E4M3");
  EXPECT_TRUE(w.info(qkv + ".weight_scale").dims.empty());
  EXPECT_EQ(w.floats(qkv + ".input_scale"), std::vector<float>{0.25f});
  EXPECT_EQ(w.bytes(qkv + ".comfy_quant"), test::bytes_of(R"({"format": "float8_e4m3fn"})"));
  EXPECT_EQ(w.info(qkv + ".comfy_quant").dtype_name, "U8");
  EXPECT_EQ(w.file->tensors().count(p + "joint_blocks.0.x_block.attn.qkv.comfy_quant"), 0u);
  for (const auto& [name, info] : w.file->tensors()) {
    EXPECT_TRUE(name.starts_with(p)) << name;
    EXPECT_EQ(info.offset % size_of(*info.dtype), 0u) << name;
  }
}

TEST(Fp8File, ComfyUiRefusesNamesWithoutAPlace) {
  Source source(test::Family::kSd35Large);
  auto files = test::tiny_folder({});
  source.tensors["transformer_blocks.0.attn.something.weight"] = test::tensor_of({1}, {1});
  files["transformer/diffusion_pytorch_model.safetensors"] = test::safetensors_of(source.tensors);
  const ModelFolder folder(std::make_unique<test::MemoryFiles>(files));
  const SourceWeights weights(folder, "");
  ThreadPool pool(1);
  test::expect_error(Code::kUnsupported, "attn.something.weight",
                     [&] { (void)fp8_tensors(weights, {.layout = Fp8Layout::kComfyUi}, pool); });
}

TEST(SourceWeights, GroupsStackRowsAndBiases) {
  const Source source(test::Family::kSd35Large);
  const HostWeight group = source.weights->group("transformer_blocks.0.attn.to_q");
  EXPECT_EQ(group.dims, (test::Shape{3 * 192, 192}));
  EXPECT_EQ(group.bias.size(), 3u * 192);
  EXPECT_EQ(test::Bytes(group.data.begin() + 192 * 192 * 2, group.data.begin() + 2 * 192 * 192 * 2),
            source.tensors.at("transformer_blocks.0.attn.to_k.weight").data);
}

TEST(SourceWeights, Fp8SourcesAreRefused) {
  const ModelFolder folder(std::make_unique<test::MemoryFiles>(test::tiny_folder({.fp8 = true})));
  test::expect_error(Code::kModelMismatch, "to quantise, found fp8",
                     [&] { (void)choose_source(folder, {}); });
  test::expect_error(Code::kModelMismatch, "expected F32, F16 or BF16 to quantise",
                     [&] { (void)SourceWeights(folder, choose_source(folder, "fp8")); });
}

}  // namespace
}  // namespace octet
