// Checkpoints that other programs wrote (README.md): Octet reads them as it would the real ones and
// computes what those programs compute.
#include <gtest/gtest.h>

#include "engine/model_folder.h"
#include "pipeline/golden_forward.h"
#include "support/layouts.h"

namespace octet::test {
namespace {

constexpr double kForwardTolerance = 1e-5;
constexpr const char* kProductLayer = "transformer_blocks.0.ff.net.2";
const std::string kData = std::string(OCTET_TEST_DATA) + "/layouts/data/";

struct File {
  const char* name;
  const char* variant;
  const char* layout;
  const char* scheme;  // of FP8 weights
  bool product;        // expected.safetensors holds an FP8 product
};
constexpr File kFiles[] = {
    {"diffusers-shards", "", "diffusers", "", false},
    {"diffusers-shards-fp16", "fp16", "diffusers", "", false},
    {"torchao-row", "", "diffusers", "torchao Float8Tensor", true},
    {"torchao-tensor", "", "diffusers", "torchao Float8Tensor", true},
    {"torchao-weight-only", "", "diffusers", "torchao Float8Tensor", false},
    {"modelopt", "", "diffusers", "ModelOpt FP8", true},
    {"single-file-f16", "", "Stability single file", "", false},
    {"single-file-e4m3", "", "Stability single file", "plain FP8", false},
    {"comfy-old", "", "Stability single file", "ComfyUI scaled FP8 (scale_weight)", true},
    {"comfy-new", "", "Stability single file", "ComfyUI scaled FP8 (comfy_quant)", true},
    {"block-scales", "", "diffusers", "FP8 with weight_scale_inv", false},
    {"plain-e5m2", "", "diffusers", "plain FP8", false},
};

const GoldenTensors& expected() {
  static const GoldenTensors tensors(kData + "expected.safetensors");
  return tensors;
}

class LibraryFiles : public ::testing::TestWithParam<File> {
 protected:
  WeightReader reader() const {
    return ModelFolder(open_folder(kData + GetParam().name))
        .open("transformer", GetParam().variant);
  }
  std::vector<float> forward_in(Compute compute) {
    WeightReader weights = reader();
    const Mmdit mmdit(Loader(weights, *backend_, compute));
    weights.finish();
    return forward(*backend_, mmdit, expected(), "in.", {});
  }
  std::string key(const std::string& what) const { return GetParam().name + ("." + what); }

  std::unique_ptr<Backend> backend_ = make_cpu_backend({.threads = 2});
};

TEST_P(LibraryFiles, ForwardInF32IsTheLibrarys) {
  EXPECT_LE(relative_l2(forward_in(Compute::kF32), expected().get(key("out")).values),
            kForwardTolerance);
}

// FP8 weights stay FP8; what inputs of 16 and 8 bits cost is bounded, and it is not nothing.
TEST_P(LibraryFiles, ForwardInShortNumbersIsNear) {
  const std::vector<float> values = expected().get(key("out")).values;
  const double wide = relative_l2(forward_in(Compute::kW8A16), values);
  EXPECT_LE(wide, 2e-2);
  EXPECT_GT(wide, 1e-5);
  EXPECT_LE(relative_l2(forward_in(Compute::kFP8), values), 1e-1);
}

TEST_P(LibraryFiles, AreToldByName) {
  const WeightReader weights = reader();
  EXPECT_EQ(weights.layout(), GetParam().layout);
  EXPECT_EQ(weights.scheme(), GetParam().scheme);
}

// Inputs round to the codes that torch rounds them to; their product is torch's.
class Fp8Products : public LibraryFiles {};

TEST_P(Fp8Products, AreTorchs) {
  WeightReader weights = reader();
  const std::vector<float> out = expected().get(key("product.out")).values;
  const std::int64_t rows = expected().get(key("product.codes")).dims[0];
  const std::int64_t in = expected().get(key("product.codes")).dims[1];
  const std::int64_t width = static_cast<std::int64_t>(out.size()) / rows;
  const Weight weight =
      backend_->prepare(weights.linear(kProductLayer, width, in, true), Compute::kFP8);
  Arena arena(backend_->allocate(std::size_t{4} << 20));
  const Ctx ctx{*backend_, arena};
  const Tensor x = put(ctx, expected().get("in.product." + std::to_string(in)));
  const Activation input = as_input(ctx, weight, x);
  std::vector<std::uint8_t> codes(static_cast<std::size_t>(x.numel()));
  ASSERT_EQ(input.data.dtype, DType::kF8E4M3);
  backend_->download(std::as_writable_bytes(std::span(codes)), input.data);
  std::vector<float> rounded(codes.size());
  decode_to_f32(DType::kF8E4M3, codes.data(), rounded.data(), rounded.size());
  EXPECT_EQ(rounded, expected().get(key("product.codes")).values);
  const Tensor result = arena.tensor(DType::kF32, {rows, width});
  ops::linear(ctx, {.dst = result, .x = input, .weight = &weight});
  EXPECT_LE(relative_l2(get(ctx, result), out), 1e-6);
}

/// comfy-new, which marks layers in both ways, with all marks in tensors or all in the metadata.
WeightReader marked(bool in_tensors) {
  const std::string weights = "transformer/diffusion_pytorch_model.safetensors";
  const SafetensorsFile file(open_file(kData + "comfy-new/" + weights));
  const std::string mark = ".comfy_quant";
  auto about = nlohmann::json::parse(file.metadata().at("_quantization_metadata"));
  TensorMap tensors;
  for (const auto& [name, info] : file.tensors()) {
    const Bytes bytes = file.read(info);
    if (!name.ends_with(mark)) {
      tensors[name] = {info.dtype_name, info.dims, bytes};
      continue;
    }
    const auto* text = reinterpret_cast<const char*>(bytes.data());
    about["layers"][name.substr(0, name.size() - mark.size())] =
        nlohmann::json::parse(text, text + bytes.size());
  }
  EXPECT_EQ(about["layers"].size(), 7u);
  Metadata metadata{{"_quantization_metadata", about.dump()}};
  if (in_tensors) {
    metadata.clear();
    for (const auto& [layer, how] : about["layers"].items()) {
      tensors[layer + mark] = text_tensor(how.dump());
    }
  }
  return ModelFolder(std::make_unique<MemoryFiles>(std::map<std::string, Bytes>{
                         {"model_index.json", bytes_of("{}")},
                         {weights, safetensors_of(tensors, metadata)}}))
      .open("transformer", "");
}

// Wide inputs and static scales too: all numbers are those of the file with both kinds of marks.
TEST(ComfyMarks, InTensorsOrMetadataAloneMeanTheSame) {
  const auto backend = make_cpu_backend({.threads = 2});
  const auto forward_of = [&](WeightReader weights, Compute compute) {
    const Mmdit mmdit(Loader(weights, *backend, compute));
    weights.finish();
    EXPECT_EQ(weights.wide_inputs().size(), 1u) << "full_precision_matrix_mult";
    return forward(*backend, mmdit, expected(), "in.", {});
  };
  const auto both = [] {
    return ModelFolder(open_folder(kData + "comfy-new")).open("transformer", "");
  };
  for (const bool in_tensors : {false, true}) {
    EXPECT_EQ(marked(in_tensors).scheme(), both().scheme());
    EXPECT_LE(relative_l2(forward_of(marked(in_tensors), Compute::kF32),
                          expected().get("comfy-new.out").values),
              kForwardTolerance);
    EXPECT_EQ(forward_of(marked(in_tensors), Compute::kFP8), forward_of(both(), Compute::kFP8));
  }
}

std::vector<File> with_product() {
  std::vector<File> files(std::begin(kFiles), std::end(kFiles));
  std::erase_if(files, [](const File& file) { return !file.product; });
  return files;
}

std::string test_name(const ::testing::TestParamInfo<File>& file) {
  std::string name = file.param.name;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Files, LibraryFiles, ::testing::ValuesIn(kFiles), test_name);
INSTANTIATE_TEST_SUITE_P(Files, Fp8Products, ::testing::ValuesIn(with_product()), test_name);

}  // namespace
}  // namespace octet::test
