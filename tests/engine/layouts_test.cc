// One model whose weights every format holds exactly, in all layouts: the pictures are the same
// bytes. And what is wrong with a file in one of them is refused, naming the place.
#include "support/layouts.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>

#include "octet/engine.h"
#include "octet/inspect.h"
#include "octet/lock.h"
#include "support/errors.h"
#include "support/gguf_bytes.h"
#include "support/temp_folder.h"
#include "support/tiny_pipeline.h"
#include "text/clip_bpe.h"
#include "text/clip_vocabulary.h"
#include "text/t5_unigram.h"

namespace octet {
namespace {

using test::Bytes;
using test::bytes_of;
using test::expect_error;
using test::Metadata;
using test::scaled;
using test::ScaleShape;
using test::TensorMap;

constexpr std::int64_t kVocabulary = 49408;
constexpr std::int64_t kDepth = 2, kLevels = 4;
constexpr const char* kBlocks = "transformer_blocks.";

// Sizes that single files can have: heads of 64, 32 groups, widths that 32 divides.
struct Model {
  TensorMap mmdit = test::exact(test::mmdit_tensors({.family = test::Family::kSd35Medium,
                                                     .depth = kDepth,
                                                     .text_width = 192,
                                                     .pooled_width = 192}));
  TensorMap clip_l = test::exact(
      test::clip_tensors({.vocabulary = kVocabulary, .width = 64, .hidden = 64, .layers = 2}, 2));
  TensorMap clip_g = test::exact(test::clip_tensors(
      {.vocabulary = kVocabulary, .width = 128, .hidden = 64, .layers = 2, .projection = 128}, 5));
  TensorMap t5 = test::exact(test::t5_tensors(
      {.vocabulary = T5Tokenizer::load(test::tiny_tokenizer("tokenizer_3")).vocab_size(),
       .width = 192}));
  TensorMap vae = test::exact(test::vae_tensors({.widths = {32, 32, 32, 64}}));
};

const Model& model() {
  static const Model m;
  return m;
}

using Files = std::map<std::string, Bytes>;

/// The diffusers folder; `transformer` in any layout with diffusers names.
Files folder_with(const Bytes& transformer) {
  Files files;
  files["model_index.json"] = bytes_of(R"({"_class_name": "StableDiffusion3Pipeline"})");
  files["text_encoder/config.json"] = bytes_of(R"({"hidden_act": "quick_gelu"})");
  files["transformer/diffusion_pytorch_model.safetensors"] = transformer;
  files["vae/diffusion_pytorch_model.safetensors"] = test::safetensors_of(model().vae);
  files["text_encoder/model.safetensors"] = test::safetensors_of(model().clip_l);
  files["text_encoder_2/model.safetensors"] = test::safetensors_of(model().clip_g);
  files["text_encoder_3/model.safetensors"] = test::safetensors_of(model().t5);
  const auto tokenizer = [&](const std::string& folder, const TokenizerFiles& t) {
    for (const auto& [name, text] : t.contents) files[folder + "/" + name] = bytes_of(text);
  };
  tokenizer("tokenizer", clip_tokenizer_files(ClipPadding::kEndOfText));
  tokenizer("tokenizer_2", clip_tokenizer_files(ClipPadding::kZero));
  files["tokenizer_3/spiece.model"] =
      bytes_of(test::tiny_tokenizer("tokenizer_3").contents.at("spiece.model"));
  return files;
}

struct Drawn {
  std::vector<std::uint8_t> rgb;
  std::vector<ComponentInfo> components;
};
Drawn draw(EngineOptions options) {
  options.device = "cpu";
  options.compute = "f32";
  options.threads = 1;
  Engine engine(options);
  GenerateRequest request{.prompt = "a red apple", .negative_prompt = "blue", .steps = 2};
  request.guidance = 3.0f;
  request.seed = 3;
  request.width = 32;
  request.height = 32;
  request.t5_length = 9;
  return {engine.generate(request, {}).pictures.at(0).rgb, engine.model().components};
}

std::vector<std::uint8_t> picture_of(const EngineOptions& options) { return draw(options).rgb; }

std::vector<std::uint8_t> picture_of(const Files& files) {
  const test::TempFolder folder;
  for (const auto& [name, bytes] : files) folder.write(name, bytes);
  return picture_of({.model = folder.path()});
}

const std::vector<std::uint8_t>& expected() {
  static const std::vector<std::uint8_t> picture =
      picture_of(folder_with(test::safetensors_of(model().mmdit)));
  return picture;
}

TensorMap single_file() { return test::single_file_mmdit(model().mmdit, kDepth); }

TEST(Layouts, ThePictureIsNotTrivial) {
  Files other = folder_with(test::safetensors_of(model().mmdit));
  TensorMap changed = model().mmdit;
  changed["transformer_blocks.1.norm1_context.linear.bias"].data[3] ^= std::byte{0x40};
  other["transformer/diffusion_pytorch_model.safetensors"] = test::safetensors_of(changed);
  EXPECT_NE(picture_of(other), expected()) << "a single value that one layout keeps elsewhere";
}

TEST(Layouts, SixteenBitAndShards) {
  for (const DType dtype : {DType::kF16, DType::kBF16}) {
    EXPECT_EQ(picture_of(folder_with(test::safetensors_of(test::as_dtype(model().mmdit, dtype)))),
              expected());
  }
}

// Everything in one file, and what a second layout of each text encoder can be.
TEST(Layouts, SingleFileWithEncoders) {
  const TensorMap bundle = test::joined(
      test::joined(
          test::prefixed(single_file(), "model.diffusion_model."),
          test::prefixed(test::latent_diffusion_vae(model().vae, kLevels), "first_stage_model.")),
      test::joined(test::prefixed(model().clip_l, "text_encoders.clip_l.transformer."),
                   test::joined(test::prefixed(model().clip_g, "text_encoders.clip_g.transformer."),
                                test::prefixed(model().t5, "text_encoders.t5xxl.transformer."))));
  const test::TempFolder folder;
  const std::string spiece = folder.write(
      "spiece.model", bytes_of(test::tiny_tokenizer("tokenizer_3").contents.at("spiece.model")));
  EngineOptions options{.model = folder.write("sd3.safetensors", test::safetensors_of(bundle))};
  expect_error(Code::kModelMismatch, "--t5-tokenizer", [&] { (void)picture_of(options); });
  options.parts.t5_tokenizer = spiece;
  EXPECT_EQ(picture_of(options), expected());
  TensorMap stray = bundle;
  stray["cond_stage_model.x"] = test::tensor_of({1}, {1});
  options.model = folder.write("stray.safetensors", test::safetensors_of(stray));
  expect_error(Code::kModelMismatch, "cond_stage_model.x", [&] { (void)picture_of(options); });
  stray = bundle;
  stray["model.diffusion_model.x"] = test::tensor_of({1}, {1});
  options.model = folder.write("stray.safetensors", test::safetensors_of(stray));
  expect_error(Code::kModelMismatch, "1 unknown (x)", [&] { (void)picture_of(options); });
}

// Every file that the model is made of, wherever it lies.
void expect_locked(const test::TempFolder& folder, const EngineOptions& options) {
  EngineOptions with_lock = options;
  with_lock.lock = folder.write("octet.lock", bytes_of(lock_model(options, {})));
  const auto differences = [&] { return verify_lock(with_lock, true, {}).differences; };
  EXPECT_EQ(differences(), std::vector<std::string>{});
  EXPECT_NO_THROW(Engine{with_lock});
  const ModelParts& p = options.parts;
  for (const std::string& path : {options.model, p.clip_l, p.clip_g, p.t5, p.vae, p.t5_tokenizer}) {
    std::ifstream in(path, std::ios::binary);
    std::string bytes((std::istreambuf_iterator<char>(in)), {});
    in.close();
    std::string changed = bytes;
    changed.back() = static_cast<char>(changed.back() ^ 1);
    std::ofstream(path, std::ios::binary) << changed;
    EXPECT_NE(differences(), std::vector<std::string>{}) << path;
    std::ofstream(path, std::ios::binary) << bytes;
  }
  EXPECT_EQ(differences(), std::vector<std::string>{});
  with_lock.parts.t5.clear();
  with_lock.parts.t5_tokenizer.clear();
  expect_error(Code::kRefused, "locked single file and 4 files", [&] { Engine{with_lock}; });
}

TEST(Layouts, SingleFileWithPartsBesideIt) {
  const test::TempFolder folder;
  const auto write = [&](const std::string& name, const TensorMap& tensors) {
    return folder.write(name, test::safetensors_of(tensors));
  };
  EngineOptions options{.model = write("mmdit.safetensors", single_file())};
  expect_error(Code::kModelMismatch, "give --vae FILE", [&] { (void)picture_of(options); });
  options.parts.vae = write("v/vae.safetensors", test::latent_diffusion_vae(model().vae, kLevels));
  options.parts.clip_l =
      write("l/clip_l.safetensors", test::without_prefix(model().clip_l, "text_model."));
  options.parts.clip_g = write("g/clip_g.safetensors", test::open_clip(model().clip_g, 2));
  options.parts.t5 = write("t/t5.safetensors", model().t5);
  options.parts.t5_tokenizer = folder.write(
      "spiece.model", bytes_of(test::tiny_tokenizer("tokenizer_3").contents.at("spiece.model")));
  EXPECT_EQ(picture_of(options), expected());
  expect_locked(folder, options);

  std::swap(options.parts.clip_l, options.parts.clip_g);
  expect_error(Code::kModelMismatch, "text_projection.weight",
               [&] { (void)picture_of(options); });  // CLIP-L has none
  options.parts.clip_l = options.parts.vae;
  expect_error(Code::kModelMismatch, "expected the tensors of text_encoder, found vae",
               [&] { (void)picture_of(options); });

  options.parts = {.folder = folder.path() + "/all", .t5_tokenizer = options.parts.t5_tokenizer};
  write("all/1.safetensors", model().clip_g);
  write("all/2.safetensors", model().clip_l);
  write("all/3.safetensors", model().t5);
  write("all/4.safetensors", model().vae);
  EXPECT_EQ(picture_of(options), expected()) << "told by their tensors";
  expect_error(Code::kInvalidArgument, "--clip-l",
               [&] { (void)picture_of({.model = folder.path(), .parts = options.parts}); });
}

/// ComfyUI's marks for every scaled layer.
TensorMap comfy_new(const TensorMap& tensors, const std::string& prefix, const std::string& json) {
  TensorMap result = scaled(tensors, prefix, {});
  for (const std::string& layer : test::scaled_layers(tensors, prefix)) {
    result[layer + ".comfy_quant"] = test::text_tensor(json);
  }
  return result;
}

TensorMap comfy_old(const TensorMap& tensors, const std::string& prefix, std::int64_t elements) {
  TensorMap result = scaled(tensors, prefix, {.scale = ".scale_weight"});
  for (const std::string& layer : test::scaled_layers(tensors, prefix)) {
    result[layer + ".scale_input"] = test::tensor_of({}, {1});
  }
  result["scaled_fp8"] = test::tensor_of(
      {elements}, std::vector<float>(static_cast<std::size_t>(elements), 0), DType::kF8E4M3);
  return result;
}

Metadata torchao_metadata(const TensorMap& tensors, bool weight_only) {
  Metadata metadata;
  for (const std::string& layer : test::scaled_layers(tensors, kBlocks)) {
    const test::Shape& dims = tensors.at(layer + ".weight").dims;
    metadata[layer + ".weight"] =
        R"({"_type": "Float8Tensor", "_data": {"block_size": [1, )" + std::to_string(dims[1]) +
        R"(], "mm_config": null, "act_quant_kwargs": )" +
        (weight_only ? "null" : R"({"_type": "QuantizeTensorToFloat8Kwargs", "_data": {}})") +
        R"(, "dtype": {"_type": "torch.dtype", "_data": "bfloat16"}}, )"
        R"("_tensor_data_names": ["qdata", "scale"]})";
  }
  return metadata;
}

/// Every FP8 layout with diffusers names, as the bytes of a transformer file.
std::map<std::string, Bytes> fp8_files() {
  const TensorMap& m = model().mmdit;
  std::map<std::string, Bytes> files;
  const auto add = [&](const char* name, const TensorMap& tensors) {
    files[name] = test::safetensors_of(tensors);
  };
  add("per tensor", scaled(m, kBlocks, {}));
  add("per row", scaled(m, kBlocks, {.shape = ScaleShape::kRow}));
  add("E5M2", scaled(m, kBlocks, {.dtype = DType::kF8E5M2}));
  add("128x128 blocks",
      scaled(m, kBlocks, {.scale = ".weight_scale_inv", .shape = ScaleShape::kBlock}));
  add("ComfyUI old", comfy_old(m, kBlocks, 0));
  add("ComfyUI old, full precision", comfy_old(m, kBlocks, 2));
  add("ComfyUI new", comfy_new(m, kBlocks, R"({"format": "float8_e4m3fn"})"));
  std::string layers;  // metadata alone marks them; inputs stay wide
  for (const std::string& layer : test::scaled_layers(m, kBlocks)) {
    layers += (layers.empty() ? "\"" : ", \"") + layer +
              R"(": {"format": "float8_e4m3fn", "full_precision_matrix_mult": true})";
  }
  files["ComfyUI new, metadata alone"] = test::safetensors_of(
      scaled(m, kBlocks, {}),
      {{"_quantization_metadata", R"({"format_version": "1.0", "layers": {)" + layers + "}}"}});
  files["torchao"] = test::safetensors_of(
      scaled(m, kBlocks,
             {.codes = "._weight_qdata", .scale = "._weight_scale", .shape = ScaleShape::kRow}),
      torchao_metadata(m, false));
  add("plain E4M3", test::as_dtype(m, DType::kF8E4M3));
  add("plain E5M2", test::as_dtype(m, DType::kF8E5M2));
  return files;
}

TEST(Layouts, Fp8InADiffusersFolder) {
  for (const auto& [name, file] : fp8_files()) {
    EXPECT_EQ(picture_of(folder_with(file)), expected()) << name;
  }
}

// A file that forbids 8-bit inputs everywhere is not said to compute in FP8.
TEST(Layouts, WhatIsComputedInsteadOfFp8IsSaid) {
  const auto precision_of = [](const std::string& layout) {
    const test::TempFolder folder;
    for (const auto& [name, bytes] : folder_with(fp8_files().at(layout))) folder.write(name, bytes);
    const ModelInspection i =
        inspect_model({.model = folder.path(), .device = "cpu", .compute = "fp8"});
    for (const ComponentInfo& c : i.model.components) {
      if (c.name == "transformer") return c.compute + ": " + c.reason;
    }
    return std::string("no transformer");
  };
  EXPECT_EQ(precision_of("ComfyUI new"),
            "fp8: no FP8 units on this device: inputs rounded to FP8, products and sums in FP32");
  EXPECT_EQ(precision_of("ComfyUI new, metadata alone"),
            "w8a16: 19 layers take 16-bit inputs, as the file says (full_precision_matrix_mult)");
}

TEST(Layouts, ModelOptExport) {
  Files files = folder_with(test::safetensors_of(scaled(model().mmdit, kBlocks, {})));
  files["transformer/config.json"] = bytes_of(
      R"({"quantization_config": {"quant_method": "modelopt", "quant_algo": "FP8",
          "ignore": ["proj_out", "norm_out*"]}})");
  EXPECT_EQ(picture_of(files), expected());
}

TEST(Layouts, Fp8InSingleFiles) {
  const test::TempFolder folder;
  const TensorMap vae = test::prefixed(test::latent_diffusion_vae(model().vae, kLevels), "vae.");
  EngineOptions options;
  folder.write("parts/1.safetensors", test::safetensors_of(model().clip_l));
  folder.write("parts/2.safetensors", test::safetensors_of(model().clip_g));
  folder.write("parts/3.safetensors",
               test::safetensors_of(test::as_dtype(model().t5, DType::kF8E4M3)));
  options.parts.folder = folder.path() + "/parts";
  options.parts.t5_tokenizer = folder.write(
      "spiece.model", bytes_of(test::tiny_tokenizer("tokenizer_3").contents.at("spiece.model")));
  const TensorMap m = single_file();
  const std::vector<TensorMap> layouts = {
      comfy_old(m, "joint_blocks.", 2),
      comfy_new(m, "joint_blocks.", R"({"format": "float8_e4m3fn"})"),
      scaled(m, "", {.shape = ScaleShape::kRow}), scaled(m, "", {.shape = ScaleShape::kBlock}),
      test::as_dtype(m, DType::kF8E5M2)};
  for (std::size_t i = 0; i < layouts.size(); ++i) {
    options.model = folder.write("m.safetensors",
                                 test::safetensors_of(test::joined(
                                     test::prefixed(layouts[i], "model.diffusion_model."), vae)));
    EXPECT_EQ(picture_of(options), expected()) << "layout " << i;
  }
}

/// T5 under llama.cpp's names.
TensorMap llama_t5(const TensorMap& t5) {
  const std::pair<const char*, const char*> parts[] = {
      {"layer.0.SelfAttention.relative_attention_bias", "attn_rel_b"},
      {"layer.0.SelfAttention.q", "attn_q"},
      {"layer.0.SelfAttention.k", "attn_k"},
      {"layer.0.SelfAttention.v", "attn_v"},
      {"layer.0.SelfAttention.o", "attn_o"},
      {"layer.0.layer_norm", "attn_norm"},
      {"layer.1.layer_norm", "ffn_norm"},
      {"layer.1.DenseReluDense.wi_0", "ffn_gate"},
      {"layer.1.DenseReluDense.wi_1", "ffn_up"},
      {"layer.1.DenseReluDense.wo", "ffn_down"}};
  TensorMap result;
  for (const auto& [old, tensor] : t5) {
    std::string name = old;
    if (name == "shared.weight") name = "token_embd.weight";
    if (name == "encoder.final_layer_norm.weight") name = "enc.output_norm.weight";
    if (name.starts_with("encoder.block.")) name.replace(0, 14, "enc.blk.");
    for (const auto& [from, to] : parts) {
      const std::size_t at = name.find(from);
      if (at != std::string::npos) name.replace(at, std::string(from).size(), to);
    }
    result[name] = tensor;
  }
  return result;
}

/// Matrices of values that blocks of 4 bits hold too: up to 7 steps of 2^-6.
TensorMap in_steps(TensorMap tensors) {
  for (auto& [name, t] : tensors) {
    if (t.dims.size() != 2) continue;
    std::vector<float> values(t.data.size() / sizeof(float));
    std::memcpy(values.data(), t.data.data(), t.data.size());
    for (float& v : values) v = std::clamp(std::round(v * 64), -7.0f, 7.0f) / 64;
    t = test::tensor_of(t.dims, values);
  }
  return tensors;
}

void expect_stored(const std::string& type, const std::vector<ComponentInfo>& components) {
  int found = 0;
  for (const ComponentInfo& c : components) {
    if (c.name != "transformer" && c.name != "text_encoder_3") continue;
    EXPECT_EQ(c.stored, type) << c.name;
    ++found;
  }
  EXPECT_EQ(found, 2);
}

// GGUF transformer and T5 beside safetensors of the rest: every type, in both spellings of names.
// Widths are 256, so that blocks of k-quants fill them.
TEST(Layouts, Gguf) {
  constexpr std::int64_t kWide = 4;  // blocks; the width is 64 times that
  const TensorMap mmdit = test::single_file_mmdit(
      in_steps(test::exact(test::mmdit_tensors({.family = test::Family::kSd35Medium,
                                                .depth = kWide,
                                                .text_width = 256,
                                                .pooled_width = 192}))),
      kWide);
  const TensorMap t5 = in_steps(test::exact(test::t5_tensors(
      {.vocabulary = T5Tokenizer::load(test::tiny_tokenizer("tokenizer_3")).vocab_size(),
       .width = 256,
       .heads = 4,
       .head_width = 64,
       .hidden = 256})));
  const test::TempFolder folder;
  EngineOptions options;
  options.parts.t5_tokenizer = folder.write(
      "spiece.model", bytes_of(test::tiny_tokenizer("tokenizer_3").contents.at("spiece.model")));
  options.parts.vae = folder.write(
      "vae.safetensors", test::safetensors_of(test::latent_diffusion_vae(model().vae, kLevels)));
  options.parts.clip_l = folder.write("l.safetensors", test::safetensors_of(model().clip_l));
  options.parts.clip_g = folder.write("g.safetensors", test::safetensors_of(model().clip_g));
  options.model = folder.write("m.safetensors", test::safetensors_of(mmdit));
  options.parts.t5 = folder.write("t5.safetensors", test::safetensors_of(t5));
  const std::vector<std::uint8_t> wanted = picture_of(options);
  options.parts.t5 = folder.write("t5.gguf", test::gguf_file(llama_t5(t5), "Q8_0"));
  const std::string prefix = "model.diffusion_model.";
  options.model = folder.write("m.gguf", test::gguf_file(test::prefixed(mmdit, prefix), "Q8_0"));
  EXPECT_EQ(picture_of(options), wanted) << prefix;
  for (const char* type : {"F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q4_K", "Q6_K"}) {
    options.model = folder.write("m.gguf", test::gguf_file(mmdit, type));
    options.parts.t5 = folder.write("t5.gguf", test::gguf_file(llama_t5(t5), type));
    const Drawn drawn = draw(options);
    EXPECT_EQ(drawn.rgb, wanted) << type;
    expect_stored(type, drawn.components);
  }
  const ModelInspection i = inspect_model(options);
  EXPECT_EQ(i.problems, std::vector<std::string>{});
  expect_stored("Q6_K", i.model.components);
}

// FP8 without scales that uses the whole range: a plain cast only if the user says so.
TEST(Layouts, Fp8SchemeOfWhatSaysNothing) {
  TensorMap stripped = model().mmdit;
  const std::string layer = "transformer_blocks.0.attn.to_out.0.weight";
  stripped[layer] =
      test::tensor_of(stripped[layer].dims,
                      std::vector<float>(stripped[layer].data.size() / 4, 448), DType::kF8E4M3);
  const test::TempFolder folder;
  for (const auto& [name, bytes] : folder_with(test::safetensors_of(stripped))) {
    folder.write(name, bytes);
  }
  EngineOptions options{.model = folder.path()};
  expect_error(Code::kModelMismatch, "--fp8-scheme plain", [&] { (void)picture_of(options); });
  options.fp8_scheme = "plain";
  EXPECT_NE(picture_of(options), expected());
  options.fp8_scheme = "scaled";
  expect_error(Code::kInvalidArgument, "fp8-scheme: expected auto or plain, found scaled",
               [&] { (void)picture_of(options); });
  const ModelInspection i = inspect_model({.model = folder.path()});
  EXPECT_EQ(i.problems, std::vector<std::string>{});
  ASSERT_EQ(i.notes.size(), 1u) << "headers do not tell";
  EXPECT_NE(i.notes[0].find("Decided at load"), std::string::npos) << i.notes[0];
}

// What inspect says of files: each counted once, and the names that loading found.
TEST(Layouts, InspectionOfFiles) {
  const test::TempFolder folder;
  const test::Bytes bundle = test::safetensors_of(test::joined(
      test::prefixed(single_file(), "model.diffusion_model."),
      test::prefixed(test::latent_diffusion_vae(model().vae, kLevels), "first_stage_model.")));
  EngineOptions options{.model = folder.write("m.safetensors", bundle)};
  ModelInspection i = inspect_model(options);
  EXPECT_EQ(i.layout, "single file");
  EXPECT_EQ(i.files, 1u);
  EXPECT_EQ(i.bytes, bundle.size());
  ASSERT_EQ(i.model.components.size(), 2u) << "what is there is described";
  EXPECT_EQ(i.model.components[0].layout, "Stability single file");
  ASSERT_EQ(i.problems.size(), 2u) << testing::PrintToString(i.problems);
  EXPECT_NE(
      i.problems[0].find("text_encoder: expected safetensors, found none: give --clip-l FILE"),
      std::string::npos)
      << i.problems[0];
  options.parts.clip_l = folder.write("l.safetensors", test::safetensors_of(model().clip_l));
  options.parts.clip_g = folder.write("g.safetensors", test::safetensors_of(model().clip_g));
  i = inspect_model(options);
  EXPECT_EQ(i.problems, std::vector<std::string>{});
  EXPECT_EQ(i.layout, "single file and 2 files of parts");
  EXPECT_EQ(i.files, 3u);
  EXPECT_EQ(i.memory.size(), 6u);
  options.parts.t5 = folder.write("t5.safetensors", test::safetensors_of(model().t5));
  i = inspect_model(options);
  ASSERT_EQ(i.problems.size(), 1u);
  EXPECT_NE(i.problems[0].find("expected the T5 tokenizer, found none: give --t5-tokenizer FILE"),
            std::string::npos)
      << i.problems[0];
}

TEST(Layouts, TheClipVocabulary) {
  const ClipTokenizer l = ClipTokenizer::load(clip_tokenizer_files(ClipPadding::kEndOfText));
  const ClipTokenizer g = ClipTokenizer::load(clip_tokenizer_files(ClipPadding::kZero));
  EXPECT_EQ(l.vocab_size(), kVocabulary);
  EXPECT_EQ(l.bos_id(), 49406);
  EXPECT_EQ(l.eos_id(), 49407);
  EXPECT_EQ(l.pad_id(), 49407);
  EXPECT_EQ(g.pad_id(), 0);
  EXPECT_EQ(l.encode("a photo of a cat"), (std::vector<std::int32_t>{320, 1125, 539, 320, 2368}));
}

}  // namespace
}  // namespace octet
