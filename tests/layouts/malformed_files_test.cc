// Every rule of loading broken in every layout: the files of other programs (README.md), changed in
// one place. Refused with exit code 3 and a message that names the place; unchanged they load.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "backend/cpu/cpu_backend.h"
#include "checkpoint/safetensors.h"
#include "engine/model_folder.h"
#include "model/mmdit.h"
#include "support/errors.h"
#include "support/layouts.h"

namespace octet::test {
namespace {

const std::string kData = std::string(OCTET_TEST_DATA) + "/layouts/data/";
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

/// A layout, and how it calls what belongs to one layer.
struct Layout {
  const char* name;
  const char* layer = "transformer_blocks.0.ff.net.2";
  const char* scale = nullptr;  // null: it has none
  const char* input = nullptr;  // static input scale
  const char* weight = ".weight";
};
constexpr const char* kSingle = "model.diffusion_model.joint_blocks.0.x_block.mlp.fc2";
constexpr const char* kComfy = "joint_blocks.0.x_block.mlp.fc2";
constexpr const char* kNet = "transformer_blocks.0.ff.net.2";
constexpr Layout kLayouts[] = {
    {"diffusers-shards"},
    {"diffusers-shards-fp16"},
    {"torchao-row", kNet, "._weight_scale", nullptr, "._weight_qdata"},
    {"torchao-tensor", kNet, "._weight_scale", nullptr, "._weight_qdata"},
    {"torchao-weight-only", kNet, "._weight_scale", nullptr, "._weight_qdata"},
    {"modelopt", kNet, ".weight_scale", ".input_scale"},
    {"single-file-f16", kSingle},
    {"single-file-e4m3", kSingle},
    {"comfy-old", kComfy, ".scale_weight", ".scale_input"},
    {"comfy-new", kComfy, ".weight_scale", ".input_scale"},
    {"block-scales", kNet, ".weight_scale_inv"},
    {"plain-e5m2"},
};

/// A layout's files, ready to be changed.
struct Model {
  TensorMap tensors;
  Metadata metadata;
  std::map<std::string, Bytes> configs;
};

Model read_model(const Layout& layout) {
  Model m;
  const auto folder = open_folder(kData + layout.name);
  for (const std::string& file : folder->list()) {
    if (!file.ends_with(".safetensors")) {
      if (file.find("index.") == file.npos) m.configs[file] = bytes_of(read_text(*folder, file));
      continue;
    }
    const SafetensorsFile weights(folder->open(file));
    for (const auto& [name, info] : weights.tensors()) {
      m.tensors[name] = {info.dtype_name, info.dims, weights.read(info)};
    }
    m.metadata = weights.metadata();
  }
  m.configs["model_index.json"] = bytes_of("{}");
  return m;
}

using Files = std::map<std::string, Bytes>;
constexpr const char* kWeights = "transformer/diffusion_pytorch_model.safetensors";

Files files_of(const Model& m) {
  Files files = m.configs;
  files[kWeights] = safetensors_of(m.tensors, m.metadata);
  return files;
}

// With all values read, by the backend where it reads by itself.
void load(const Files& files) {
  const ModelFolder folder(std::make_unique<MemoryFiles>(files));
  const auto cpu = make_cpu_backend({.threads = 1});
  WeightReader weights = folder.open("transformer", "");
  const Mmdit mmdit(Loader(weights, *cpu, Compute::kFP8));
  weights.finish();
}

void expect_refused(const std::string& place, const Files& files) {
  const Error error = error_of([&] { load(files); });
  EXPECT_EQ(exit_code(error.code()), 3) << error.what();
  EXPECT_NE(std::string(error.what()).find(place), std::string::npos)
      << "expected \"" << place << "\" in: " << error.what();
}

class MalformedFiles : public testing::TestWithParam<Layout> {
 protected:
  std::string own(const std::string& end) const { return GetParam().layer + end; }
  /// Without the prefix that messages leave out.
  std::string shown(const std::string& end) const {
    const std::string layer = GetParam().layer;
    return layer.substr(layer.starts_with("model.") ? std::string("model.diffusion_model.").size()
                                                    : 0) +
           end;
  }
  template <typename Change>
  void refused(const std::string& place, const Change& change) const {
    Model m = model_;
    change(m.tensors);
    expect_refused(place, files_of(m));
  }
  void refused_value(const std::string& end, float value) const {
    refused(shown(end),
            [&](TensorMap& t) { std::memcpy(t.at(own(end)).data.data(), &value, sizeof value); });
  }
  const Model model_ = read_model(GetParam());
};

TEST_P(MalformedFiles, TheNeighbourLoads) { EXPECT_NO_THROW(load(files_of(model_))); }

TEST_P(MalformedFiles, Tensors) {
  const std::string weight = own(GetParam().weight);
  refused(kNet, [&](TensorMap& t) { t.erase(own(".bias")); });
  refused("", [&](TensorMap& t) { t.erase(weight); });
  refused("stray.thing", [&](TensorMap& t) {
    const std::string prefix = weight.starts_with("model.") ? "model.diffusion_model." : "";
    t[prefix + "stray.thing"] = tensor_of({1}, {1});
  });
  refused(shown(".bias"), [&](TensorMap& t) { t[own(".bias")] = tensor_of({3}, {1, 2, 3}); });
  refused(shown(".bias"), [&](TensorMap& t) {
    t[own(".bias")].dtype = "I16";
    t[own(".bias")].data.resize(2 * static_cast<std::size_t>(count_of(t[own(".bias")].dims)));
  });
  refused(shown(""), [&](TensorMap& t) {
    t[weight].dims = {t[weight].dims[1], t[weight].dims[0]};
  });
}

// A cast without saturation leaves NaN where a value was too large.
TEST_P(MalformedFiles, CodesThatAreNoNumbers) {
  const std::string weight = GetParam().weight;
  if (!model_.tensors.at(own(weight)).dtype.starts_with("F8_")) return;
  refused(shown(weight) + "\": expected finite",
          [&](TensorMap& t) { t.at(own(weight)).data.back() = std::byte{0xff}; });
}

// The other program's names or scales beside its own.
TEST_P(MalformedFiles, TwoLayouts) {
  const bool single = std::string(GetParam().layer) != kNet;
  refused(single ? "transformer_blocks.0" : "joint_blocks.0", [&](TensorMap& t) {
    t[single ? "transformer_blocks.0.ff.net.2.bias" : "joint_blocks.0.x_block.mlp.fc2.bias"] =
        tensor_of({64}, std::vector<float>(64, 1));
  });
  if (GetParam().scale == nullptr) return;
  const std::string other =
      GetParam().scale == std::string(".scale_weight") ? ".weight_scale_inv" : ".scale_weight";
  refused("two layouts", [&](TensorMap& t) { t[own(other)] = tensor_of({}, {1}); });
}

TEST_P(MalformedFiles, Scales) {
  const auto& [name, layer, scale, input, weight] = GetParam();
  if (scale == nullptr) {  // codes without a scale that reach the whole range
    if (std::string(name) != "single-file-e4m3") return;
    refused("--fp8-scheme plain", [&](TensorMap& t) {
      TestTensor& w = t.at(own(".weight"));
      w = tensor_of(w.dims, std::vector<float>(w.data.size(), 448), DType::kF8E4M3);
    });
    return;
  }
  refused("", [&](TensorMap& t) { t.erase(own(scale)); });
  refused("gone", [&](TensorMap& t) { t[std::string("gone") + scale] = tensor_of({}, {1}); });
  for (const float value : {kNan, INFINITY, 0.0f, -1.0f}) refused_value(scale, value);
  refused(shown(""), [&](TensorMap& t) { t[own(scale)] = tensor_of({3}, {1, 1, 1}); });
  if (input == nullptr) return;
  for (const float value : {kNan, INFINITY, 0.0f, -1.0f}) refused_value(input, value);
  refused(shown(""), [&](TensorMap& t) { t[own(input)] = tensor_of({2}, {1, 1}); });
}

TEST_P(MalformedFiles, Files) {
  Files files = files_of(model_);
  files[kWeights].pop_back();
  expect_refused(kWeights, files);
  files = files_of(model_);
  files[kWeights].push_back({});
  expect_refused(kWeights, files);
  files = files_of(model_);
  files[kWeights][9] = std::byte{'x'};
  expect_refused(kWeights, files);
  // One tensor in two shards.
  files = model_.configs;
  const std::string stem = "transformer/diffusion_pytorch_model-0000";
  files[stem + "1-of-00002.safetensors"] = safetensors_of(model_.tensors, model_.metadata);
  files[stem + "2-of-00002.safetensors"] = safetensors_of({*model_.tensors.begin()});
  expect_refused(model_.tensors.begin()->first, files);
}

// Seeded damage of headers: refused with exit code 3, or harmless.
TEST_P(MalformedFiles, RandomMutants) {
  Random random(31);
  const Files sound = files_of(model_);
  std::uint64_t header = 0;
  std::memcpy(&header, sound.at(kWeights).data(), sizeof header);
  int refused = 0;
  for (int i = 0; i < 40; ++i) {
    Files files = sound;
    for (int n = 0; n < 2; ++n) {
      files[kWeights][8 + random() % header] = std::byte(random() % 96 + 32);
    }
    try {
      load(files);
    } catch (const Error& error) {
      EXPECT_EQ(exit_code(error.code()), 3) << error.what();
      ++refused;
    }
  }
  EXPECT_GE(refused, 20);
}

INSTANTIATE_TEST_SUITE_P(Layouts, MalformedFiles, testing::ValuesIn(kLayouts), [](const auto& l) {
  std::string name = l.param.name;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

/// What a layout says of itself in JSON.
struct Mark {
  const char* layout;
  const char* place;    // in the message
  const char* find;     // in the file's metadata or config
  const char* replace;  // by this
};
class MalformedMarks : public testing::TestWithParam<Mark> {};

// First occurrence in any text of the model.
bool replace_once(Model& m, const std::string& find, const std::string& with) {
  for (auto& [key, text] : m.metadata) {
    const std::size_t at = text.find(find);
    if (at == text.npos) continue;
    text.replace(at, find.size(), with);
    return true;
  }
  for (auto& [name, bytes] : m.configs) {
    std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    const std::size_t at = text.find(find);
    if (at == text.npos) continue;
    bytes = bytes_of(text.replace(at, find.size(), with));
    return true;
  }
  return false;
}

TEST_P(MalformedMarks, AreNamed) {
  for (const Layout& layout : kLayouts) {
    if (std::string(layout.name) != GetParam().layout) continue;
    Model m = read_model(layout);
    ASSERT_TRUE(replace_once(m, GetParam().find, GetParam().replace));
    expect_refused(GetParam().place, files_of(m));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Marks, MalformedMarks,
    testing::Values(
        Mark{"torchao-row", "Int8Tensor", "\"Float8Tensor\"", "\"Int8Tensor\""},
        Mark{"torchao-row", "block_size", "\"block_size\": [1,", "\"block_size\": [3,"},
        Mark{"torchao-tensor", "_data", "\"_data\"", "\"_date\""},
        Mark{"torchao-tensor", "expected valid JSON", "\"Float8Tensor\",", "\"Float8Tensor\""},
        Mark{"torchao-row", "bitsandbytes", "\"quant_method\": \"torchao\"",
             "\"quant_method\": \"bitsandbytes\""},
        Mark{"modelopt", "NVFP4", "\"quant_algo\": \"FP8\"", "\"quant_algo\": \"NVFP4\""},
        Mark{"modelopt", "4-bit float",
             "\"weights\": {\n                    \"dynamic\": false,\n"
             "                    \"num_bits\": 8",
             "\"weights\": {\"num_bits\": 4"},
        Mark{"modelopt", "excluded in quantization_config", "\"proj_out\"",
             "\"transformer_blocks.0*\""},
        Mark{"comfy-new", "nvfp4", "\"float8_e4m3fn\"", "\"nvfp4\""},
        Mark{"comfy-new", "F8_E5M2", "\"float8_e4m3fn\"", "\"float8_e5m2\""},
        Mark{"comfy-new", "format_version", "\"1.0\"", "\"9.0\""},
        Mark{"comfy-new", "expected valid JSON", "{", ""},
        Mark{"block-scales", "weight_block_size", "128", "64"},
        Mark{"block-scales", "quant_method", "\"fp8\"", "\"fp6\""}));

}  // namespace
}  // namespace octet::test
