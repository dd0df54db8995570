// One fault for every rule of every layout: refused, naming the place; its neighbour without the
// fault loads. At the reader, so that nothing is computed.
#include <gtest/gtest.h>

#include "support/errors.h"
#include "support/layouts.h"
#include "support/tiny_models.h"

namespace octet {
namespace {

using test::expect_error;
using test::Metadata;
using test::ScaleSpelling;
using test::tensor_of;
using test::TensorMap;
using test::text_tensor;

constexpr const char* kBlocks = "transformer_blocks.";
constexpr const char* kLayer = "transformer_blocks.0.attn.to_q";

const TensorMap& plain() {
  static const TensorMap tensors = test::exact(test::mmdit_tensors({}));
  return tensors;
}

WeightReader reader(const TensorMap& tensors, const Metadata& metadata = {},
                    const std::string& quantization = "") {
  return {{.name = "transformer", .family = Family::kMmdit, .quantization = quantization},
          {open_tensor_file(test::source_of("file", test::safetensors_of(tensors, metadata)))}};
}

// Reads one attention, which is all that these faults are about.
void read(WeightReader r) {
  (void)r.stacked({"transformer_blocks.0.attn.to_q", "transformer_blocks.0.attn.to_k",
                   "transformer_blocks.0.attn.to_v"},
                  128, 128, true);
}

TensorMap comfy(const std::string& json) {
  TensorMap t = test::scaled(plain(), kBlocks, {});
  for (const std::string& layer : test::scaled_layers(plain(), kBlocks)) {
    t[layer + ".comfy_quant"] = text_tensor(json);
  }
  return t;
}

const ScaleSpelling kTorchao{
    .codes = "._weight_qdata", .scale = "._weight_scale", .shape = test::ScaleShape::kRow};

Metadata torchao(const std::string& type, const std::string& kwargs) {
  Metadata m;
  for (const std::string& layer : test::scaled_layers(plain(), kBlocks)) {
    const auto columns = std::to_string(plain().at(layer + ".weight").dims[1]);
    m[layer + ".weight"] = R"({"_type": ")" + type + R"(", "_data": {"block_size": [1, )" +
                           columns + R"(], "act_quant_kwargs": )" + kwargs + "}}";
  }
  return m;
}

TEST(MalformedLayouts, NamesOfTwoLayouts) {
  TensorMap t = test::single_file_mmdit(plain(), 2);
  EXPECT_NO_THROW(read(reader(t)));
  t["transformer_blocks.0.attn.to_q.weight"] = plain().at("transformer_blocks.0.attn.to_q.weight");
  expect_error(Code::kModelMismatch, "transformer_blocks.0.attn.to_q.weight",
               [&] { (void)reader(t); });
  t = test::single_file_mmdit(plain(), 2);
  t["joint_blocks.0.x_block.attn.qkv.weight"] = tensor_of({2, 1}, {1, 1});
  expect_error(Code::kModelMismatch, "expected a number of rows that 3 divides, found 2",
               [&] { (void)reader(t); });
}

TEST(MalformedLayouts, ScalesOfTwoSchemes) {
  TensorMap t = test::scaled(plain(), kBlocks, {.scale = ".scale_weight"});
  EXPECT_NO_THROW(read(reader(t)));
  t[std::string(kLayer) + ".weight_scale_inv"] = tensor_of({}, {1});
  expect_error(Code::kModelMismatch, "two layouts", [&] { (void)reader(t); });
}

TEST(MalformedLayouts, ScalesWithoutWeight) {
  TensorMap t = test::scaled(plain(), kBlocks, {});
  for (int i = 0; i < 7; ++i) {
    t["gone." + std::to_string(i) + ".weight_scale"] = tensor_of({}, {1});
  }
  expect_error(Code::kModelMismatch, "7 scales without weight (gone.0.weight_scale",
               [&] { (void)reader(t); });
}

TEST(MalformedLayouts, ScalesBesideSixteenBits) {
  TensorMap t = plain();
  t[std::string(kLayer) + ".weight_scale"] = tensor_of({}, {1});
  EXPECT_NO_THROW(read(reader(t))) << "1 changes nothing";
  t[std::string(kLayer) + ".weight_scale"] = tensor_of({}, {0.5f});
  expect_error(Code::kModelMismatch, "expected an FP8 weight beside it", [&] { read(reader(t)); });
}

TEST(MalformedLayouts, StrippedScales) {
  TensorMap t = plain();
  for (const std::string& layer : test::scaled_layers(t, kBlocks)) {
    std::vector<float> values(std::size_t(test::count_of(t.at(layer + ".weight").dims)), 448.0f);
    t[layer + ".weight"] = tensor_of(t.at(layer + ".weight").dims, values, DType::kF8E4M3);
  }
  expect_error(Code::kModelMismatch, "--fp8-scheme plain", [&] { read(reader(t)); });
  WeightReader taken({.name = "transformer", .family = Family::kMmdit, .plain_fp8 = true},
                     {open_tensor_file(test::source_of("file", test::safetensors_of(t)))});
  EXPECT_NO_THROW(read(std::move(taken)));
}

TEST(MalformedLayouts, ComfyUi) {
  EXPECT_NO_THROW(read(reader(comfy(R"({"format": "float8_e4m3fn"})"))));
  const auto refused = [](Code code, const std::string& json, const std::string& part) {
    expect_error(code, part, [&] { (void)reader(comfy(json)); });
  };
  refused(Code::kUnsupported, R"({"format": "nvfp4"})", "nvfp4");
  refused(Code::kUnsupported, R"({"format": "float8_e4m3fn", "group": 3})", "group");
  refused(Code::kModelMismatch, R"({"format": "float8_e5m2"})", "expected F8_E5M2");
  refused(Code::kCorruptFile, R"({"format": 3})", "format");
  refused(Code::kCorruptFile, R"({"format")", "comfy_quant");
  refused(Code::kCorruptFile, "{}", "format");
  TensorMap t = comfy(R"({"format": "float8_e4m3fn"})");
  t.erase(std::string(kLayer) + ".weight_scale");
  expect_error(Code::kModelMismatch, "to_q\": expected a scale", [&] { (void)reader(t); });
  t = comfy(R"({"format": "float8_e4m3fn"})");
  t.erase(std::string(kLayer) + ".comfy_quant");
  expect_error(Code::kModelMismatch, "expected comfy_quant", [&] { (void)reader(t); });
  t = comfy(R"({"format": "float8_e4m3fn"})");
  t[std::string(kLayer) + ".pre_quant_scale"] = tensor_of({1}, {1});
  expect_error(Code::kUnsupported, "AWQ", [&] { (void)reader(t); });
  t = plain();
  t["scaled_fp8"] = tensor_of({0}, {}, DType::kF8E4M3);
  expect_error(Code::kModelMismatch, "scaled_fp8: expected FP8 weights", [&] { (void)reader(t); });
}

TEST(MalformedLayouts, ComfyUiMetadata) {
  const TensorMap t = test::scaled(plain(), kBlocks, {});
  std::string layers;
  for (const std::string& layer : test::scaled_layers(plain(), kBlocks)) {
    layers += (layers.empty() ? "\"" : ", \"") + layer +
              R"(": {"format": "float8_e4m3fn", "full_precision_matrix_mult": true})";
  }
  const auto with = [&](const std::string& version, const std::string& more) {
    return Metadata{{"_quantization_metadata", R"({"format_version": ")" + version +
                                                   R"(", "layers": {)" + layers + more + "}}"}};
  };
  WeightReader r = reader(t, with("1.0", ""));
  const HostWeight w = r.linear(kLayer, 128, 128, true);
  EXPECT_EQ(w.wide_inputs, "full_precision_matrix_mult");
  expect_error(Code::kUnsupported, "format_version", [&] { (void)reader(t, with("2.0", "")); });
  expect_error(Code::kModelMismatch, "gone.weight",
               [&] { (void)reader(t, with("1.0", R"(, "gone": {"format": "float8_e4m3fn"})")); });
}

TEST(MalformedLayouts, TorchAo) {
  const TensorMap t = test::scaled(plain(), kBlocks, kTorchao);
  WeightReader r = reader(t, torchao("Float8Tensor", "null"));
  EXPECT_EQ(r.linear(kLayer, 128, 128, true).wide_inputs, "weight-only");
  EXPECT_NO_THROW(read(reader(t, torchao("Float8Tensor", "{}"))));
  expect_error(Code::kUnsupported, "Int4Tensor",
               [&] { (void)reader(t, torchao("Int4Tensor", "null")); });
  expect_error(Code::kModelMismatch, "metadata", [&] { (void)reader(t); });
  TensorMap both = t;
  both[std::string(kLayer) + ".weight"] = plain().at(std::string(kLayer) + ".weight");
  expect_error(Code::kModelMismatch, "mean the same",
               [&] { (void)reader(both, torchao("Float8Tensor", "null")); });
}

TEST(MalformedLayouts, FolderConfigs) {
  const TensorMap t = test::scaled(plain(), kBlocks, {});
  EXPECT_NO_THROW(read(reader(t, {}, R"({"quantization": {"quant_algo": "FP8"}})")));
  expect_error(Code::kUnsupported, "NVFP4",
               [&] { (void)reader(t, {}, R"({"quantization": {"quant_algo": "NVFP4"}})"); });
  expect_error(Code::kUnsupported, "bitsandbytes",
               [&] { (void)reader(t, {}, R"({"quant_method": "bitsandbytes"})"); });
  expect_error(Code::kModelMismatch, "excluded in quantization_config", [&] {
    (void)reader(t, {},
                 R"({"quant_method": "modelopt", "ignore": ["transformer_blocks.0.attn*"]})");
  });
  expect_error(Code::kModelMismatch, "expected FP8 weights",
               [&] { (void)reader(plain(), {}, R"({"quant_method": "modelopt"})"); });
  expect_error(Code::kModelMismatch, "as torchao writes them",
               [&] { (void)reader(t, {}, R"({"quant_method": "torchao"})"); });
}

// Any damage to names, dtypes, shapes or values is a typed error or loads: nothing else.
TEST(MalformedLayouts, RandomMutants) {
  test::Random random(20);
  const std::vector<TensorMap> seeds = {test::single_file_mmdit(plain(), 2),
                                        comfy(R"({"format": "float8_e4m3fn"})"),
                                        test::scaled(plain(), kBlocks, kTorchao)};
  int refused = 0;
  for (int i = 0; i < 90; ++i) {
    const Metadata metadata = torchao("Float8Tensor", "null");
    test::Bytes bytes = test::safetensors_of(seeds[std::size_t(i) % seeds.size()],
                                             i % 3 == 2 ? metadata : Metadata{});
    const std::size_t header = 8 + std::to_integer<std::size_t>(bytes[0]) +
                               (std::to_integer<std::size_t>(bytes[1]) << 8) +
                               (std::to_integer<std::size_t>(bytes[2]) << 16);
    for (int n = 0; n < 3; ++n) bytes[8 + random() % (header - 8)] = std::byte(random() % 96 + 32);
    try {
      WeightReader r({.name = "transformer", .family = Family::kMmdit},
                     {open_tensor_file(test::source_of("file", std::move(bytes)))});
      (void)r.linear(kLayer, 128, 128, true);
      r.finish();
    } catch (const Error& error) {
      EXPECT_EQ(exit_code(error.code()), 3) << error.what();
      ++refused;
    }
  }
  EXPECT_EQ(refused, 90) << "finish() knows that nothing else was read";
}

}  // namespace
}  // namespace octet
