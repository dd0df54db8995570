// Loading of model folders: which files are taken, what is refused, and what the digest sees. On
// the null backend, so nothing is computed.
#include "engine/loading.h"

#include <gtest/gtest.h>

#include "backend/null/null_backend.h"
#include "support/errors.h"
#include "support/tiny_pipeline.h"

namespace octet {
namespace {

using test::Bytes;
using test::bytes_of;
using test::expect_error;
using Files = std::map<std::string, Bytes>;

constexpr const char* kPlain = "transformer/diffusion_pytorch_model.safetensors";
constexpr const char* kFp8 = "transformer/diffusion_pytorch_model.fp8.safetensors";

LoadedModel load(const Files& files, const std::optional<std::string>& variant = {},
                 const std::string& compute = "auto") {
  const ModelFolder folder(std::make_unique<test::MemoryFiles>(files));
  const auto backend = make_null_backend({});
  return load_model(folder, *backend, variant, compute);
}

/// A folder with both variants of the transformer.
const Files& both_variants() {
  static const Files files = [] {
    Files f = test::tiny_folder({});
    f.merge(test::tiny_folder({.fp8 = true}));
    return f;
  }();
  return files;
}
const Files& plain() {
  static const Files files = test::tiny_folder({});
  return files;
}

const ComponentInfo& component(const LoadedModel& m, const std::string& name) {
  for (const ComponentInfo& c : m.info.components) {
    if (c.name == name) return c;
  }
  throw std::runtime_error("no component " + name);
}

TEST(Loading, PlainFolder) {
  const LoadedModel m = load(plain());
  EXPECT_EQ(m.info.variant, "");
  EXPECT_EQ(m.info.name, "model");
  EXPECT_EQ(m.info.path, "memory/model");
  EXPECT_EQ(m.info.digest.size(), 64u);
  EXPECT_EQ(m.info.components.size(), 5u);
  EXPECT_EQ(component(m, "transformer").stored, "F16");
  EXPECT_EQ(component(m, "transformer").compute, "bf16");
  EXPECT_FALSE(component(m, "transformer").reason.empty());
  EXPECT_EQ(component(m, "vae").compute, "bf16");
  EXPECT_GT(component(m, "text_encoder_3").bytes, 0u);
  EXPECT_TRUE(m.models.text.t5.has_value());
  EXPECT_EQ(m.models.defaults.shift, 2.5f);
  EXPECT_EQ(m.models.defaults.width, 48);
}

TEST(Loading, VariantsOfTheTransformer) {
  EXPECT_EQ(load(both_variants()).info.variant, "") << "unasked, the plain files";
  EXPECT_EQ(load(both_variants(), "fp8").info.variant, "fp8");
  EXPECT_EQ(component(load(both_variants(), "fp8"), "transformer").stored, "F8_E4M3");
  EXPECT_EQ(component(load(both_variants(), "fp8"), "vae").stored, "F16");
  EXPECT_EQ(component(load(both_variants(), "fp16"), "transformer").stored, "F16")
      << "unlabelled files that hold what was asked for";
  EXPECT_EQ(load(test::tiny_folder({.fp8 = true})).info.variant, "fp8") << "all there is";
}

TEST(Loading, VariantsThatAreNotThere) {
  expect_error(Code::kModelMismatch, "variant", [] { (void)load(plain(), "fp8"); });
  expect_error(Code::kModelMismatch, "variant", [] { (void)load(plain(), "bf16"); });
  expect_error(Code::kModelMismatch, "variant", [] { (void)load(plain(), "no such"); });
  expect_error(Code::kModelMismatch, "fp8",
               [] { (void)load(test::tiny_folder({.fp8 = true}), "fp16"); });
}

TEST(Loading, LabelsThatLie) {
  Files files = plain();
  files[kFp8] = files[kPlain];
  expect_error(Code::kModelMismatch, "expected mostly F8_E4M3, found mostly F16",
               [&] { (void)load(files, "fp8"); });
  files = plain();
  files["vae/diffusion_pytorch_model.fp16.safetensors"] =
      test::safetensors_of(test::vae_tensors({}));
  expect_error(Code::kModelMismatch, "vae", [&] { (void)load(files, "fp16"); });
}

TEST(Loading, ComputeTypes) {
  const auto compute = [](const Files& files, const char* asked) {
    return component(load(files, {}, asked), "transformer").compute;
  };
  const Files fp8 = test::tiny_folder({.fp8 = true});
  EXPECT_EQ(compute(fp8, "auto"), "w8a16") << "a device without FP8 units";
  for (const char* asked : {"f32", "bf16", "w8a16", "fp8"}) EXPECT_EQ(compute(fp8, asked), asked);
  EXPECT_EQ(component(load(fp8, {}, "fp8"), "transformer").reason,
            "no FP8 units on this device: inputs rounded to FP8, products and sums in FP32");
  for (const char* asked : {"f32", "bf16"}) EXPECT_EQ(compute(plain(), asked), asked);
  EXPECT_EQ(component(load(plain(), {}, "f32"), "vae").compute, "f32");
  for (const char* asked : {"w8a16", "fp8"}) {
    expect_error(Code::kInvalidArgument, "compute: " + std::string(asked) + " needs an FP8",
                 [&] { (void)load(plain(), {}, asked); });
  }
  for (const char* asked : {"", "fp16", "FP8", "int8"}) {
    expect_error(Code::kInvalidArgument, "compute: expected auto, f32, bf16, w8a16 or fp8",
                 [&] { (void)load(plain(), {}, asked); });
  }
}

TEST(Loading, PartsThatMustBeThere) {
  for (const char* part : {"transformer", "vae", "text_encoder", "text_encoder_2"}) {
    Files files = plain();
    std::erase_if(files, [&](const auto& file) {
      return file.first.starts_with(std::string(part) + "/") && file.first.ends_with("safetensors");
    });
    expect_error(Code::kModelMismatch, std::string(part) + ":", [&] { (void)load(files); });
  }
  EXPECT_FALSE(load(test::tiny_folder({.t5 = false})).models.text.t5.has_value());
  Files files = plain();
  files.erase("model_index.json");
  expect_error(Code::kModelMismatch, "model_index.json", [&] { (void)load(files); });
  files = plain();
  files.erase("tokenizer/vocab.json");
  expect_error(Code::kModelMismatch, "tokenizer", [&] { (void)load(files); });
}

TEST(Loading, PartsThatDoNotFit) {
  const auto with = [](const std::string& name, const test::TensorMap& tensors) {
    Files files = plain();
    files[name] = test::safetensors_of(test::as_dtype(tensors, DType::kF16));
    return files;
  };
  const auto mmdit = [&](const test::MmditSpec& spec) {
    return with(kPlain, test::mmdit_tensors(spec));
  };
  EXPECT_NO_THROW((void)load(mmdit({})));
  expect_error(Code::kModelMismatch, "pooled width: expected 57",
               [&] { (void)load(mmdit({.pooled_width = 57})); });
  expect_error(Code::kModelMismatch, "text width: expected 73",
               [&] { (void)load(mmdit({.text_width = 73})); });
  expect_error(Code::kModelMismatch, "latent channels: expected 4",
               [&] { (void)load(mmdit({.channels = 4})); });
  Files no_t5 = test::tiny_folder({.t5 = false});
  no_t5[kPlain] = mmdit({.text_width = 60})[kPlain];
  expect_error(Code::kModelMismatch, "at least both CLIP widths", [&] { (void)load(no_t5); });
  expect_error(Code::kModelMismatch, "model_max_length", [&] {
    (void)load(with("text_encoder/model.safetensors", test::clip_tensors({.tokens = 76})));
  });
}

// model_index.json, if it names parts, names exactly those that are there.
TEST(Loading, PartsThatTheIndexDoesNotListTogether) {
  const auto with_index = [](const std::string& more, const std::string& t5, bool with_t5 = true) {
    Files files = test::tiny_folder({.t5 = with_t5});
    files["model_index.json"] = bytes_of(
        R"({"transformer": ["diffusers", "SD3Transformer2DModel"],
            "text_encoder": ["transformers", "CLIPTextModelWithProjection"],
            "text_encoder_2": ["transformers", "CLIPTextModelWithProjection"], )" +
        more + R"("text_encoder_3": )" + t5 + "}");
    return files;
  };
  const std::string vae = R"("vae": ["diffusers", "AutoencoderKL"], )";
  const std::string t5 = R"(["transformers", "T5EncoderModel"])";
  EXPECT_NO_THROW((void)load(with_index(vae, t5)));
  EXPECT_NO_THROW((void)load(with_index(vae, "[null, null]", false)));
  const auto refused = [](const std::string& what, const Files& files) {
    expect_error(Code::kModelMismatch, what, [&] { (void)load(files); });
  };
  refused("vae: found weights of it, but model_index.json does not list it beside text_encoder",
          with_index("", t5));
  refused("text_encoder_3: found weights of it", with_index(vae, "[null, null]"));
  refused("text_encoder_3: model_index.json lists it beside text_encoder, found no safetensors",
          with_index(vae, t5, false));
  refused("vae: model_index.json: expected the class AutoencoderKL, found AsymmetricAutoencoderKL",
          with_index(R"("vae": ["diffusers", "AsymmetricAutoencoderKL"], )", t5));
  refused("_class_name: expected StableDiffusion3Pipeline, found FluxPipeline",
          with_index(vae + R"("_class_name": "FluxPipeline", )", t5));
  for (const char* bad : {"{}", "3", "[]", R"(["transformers"])", "[1, 2]", R"([null, "x"])"}) {
    expect_error(Code::kCorruptFile, "text_encoder_3", [&] { (void)load(with_index(vae, bad)); });
  }
  Files files = with_index(vae, t5, false);
  files["text_encoder_3/pytorch_model.bin"] = bytes_of("PK");
  expect_error(Code::kUnsupported, "text_encoder_3/pytorch_model.bin: expected safetensors",
               [&] { (void)load(files); });
}

// The rows of both CLIP encoders stand side by side.
TEST(Loading, TokenizersOfUnequalLength) {
  Files files = plain();
  const std::string file = "tokenizer_2/tokenizer_config.json";
  std::string text(reinterpret_cast<const char*>(files[file].data()), files[file].size());
  const std::size_t at = text.find("\"model_max_length\": 77");
  ASSERT_NE(at, std::string::npos);
  files[file] = bytes_of(text.replace(at, 22, "\"model_max_length\": 20"));
  expect_error(Code::kModelMismatch, "model_max_length", [&] { (void)load(files); });
}

TEST(Loading, ConfigsThatCannotBe) {
  const auto with = [](const std::string& name, const std::string& text) {
    Files files = plain();
    files[name] = bytes_of(text);
    return files;
  };
  for (const char* bad : {"", "[]", "{", "nonsense", "{}x"}) {
    for (const char* file : {"model_index.json", "vae/config.json", "octet.json",
                             "scheduler/scheduler_config.json", "text_encoder/config.json"}) {
      expect_error(Code::kCorruptFile, file, [&] { (void)load(with(file, bad)); });
    }
  }
  for (const char* shift : {"0", "-1", "1e9", "\"3\"", "true", "[3]"}) {
    expect_error(Code::kCorruptFile, "shift", [&] {
      (void)load(
          with("scheduler/scheduler_config.json", std::string("{\"shift\": ") + shift + "}"));
    });
  }
  expect_error(Code::kUnsupported, "hidden_act", [&] {
    (void)load(
        with("text_encoder/config.json", R"({"num_attention_heads": 3, "hidden_act": "relu"})"));
  });
  expect_error(Code::kModelMismatch, "norm_num_groups",
               [&] { (void)load(with("vae/config.json", R"({"norm_num_groups": 3})")); });
}

TEST(Loading, OwnDefaultsWin) {
  Files files = plain();
  files["octet.json"] = bytes_of(
      R"({"name": "mine", "steps": 7, "guidance": 1.5, "shift": 4, "width": 64, "height": 32,
          "t5_length": 11, "sampler": "dpmpp_2m", "schedule": "simple"})");
  const LoadedModel m = load(files);
  EXPECT_EQ(m.info.name, "mine");
  EXPECT_EQ(m.models.defaults.steps, 7);
  EXPECT_EQ(m.models.defaults.guidance, 1.5f);
  EXPECT_EQ(m.models.defaults.shift, 4);
  EXPECT_EQ(m.models.defaults.width, 64);
  EXPECT_EQ(m.models.defaults.height, 32);
  EXPECT_EQ(m.models.defaults.t5_length, 11);
  EXPECT_EQ(m.models.defaults.sampler, "dpmpp_2m");
  EXPECT_EQ(m.models.defaults.schedule, "simple");
}

TEST(Loading, ShardsAreReadTogether) {
  Files files = plain();
  test::TensorMap first = test::as_dtype(test::mmdit_tensors({}), DType::kF16), second;
  while (second.size() < 20) second.insert(first.extract(first.begin()));
  files.erase(kPlain);
  const std::string stem = "transformer/diffusion_pytorch_model-0000";
  files[stem + "1-of-00002.safetensors"] = test::safetensors_of(first);
  files[stem + "2-of-00002.safetensors"] = test::safetensors_of(second);
  EXPECT_EQ(load(files).models.mmdit.config().depth, 2);
  Files half = files;
  half.erase(stem + "2-of-00002.safetensors");
  expect_error(Code::kModelMismatch, "transformer", [&] { (void)load(half); });
}

TEST(Loading, ShardsAreWhatTheIndexLists) {
  const std::string stem = "transformer/diffusion_pytorch_model";
  const test::TensorMap all = test::as_dtype(test::mmdit_tensors({}), DType::kF16);
  const auto with_index = [&](const std::string& shard, const std::string& more = "",
                              const std::string& without = "") {
    Files files = plain();
    std::string text = "{\"weight_map\": {";
    for (const auto& [name, tensor] : all) {
      if (name == without) continue;
      text += (text.back() == '{' ? "\"" : ", \"") + name + "\": \"" + shard + "\"";
    }
    files[stem + ".safetensors.index.json"] = bytes_of(text + more + "}}");
    return files;
  };
  const std::string file = "diffusion_pytorch_model.safetensors";
  EXPECT_NO_THROW((void)load(with_index(file)));
  for (const char* bad : {"../vae/x", "/etc/passwd", "a/b", "", ".", "..", "a\\\\b", "a\\u0000"}) {
    expect_error(Code::kCorruptFile, "name of a file in the same folder",
                 [&] { (void)load(with_index(bad)); });
  }
  expect_error(Code::kModelMismatch, "also transformer/", [&] { (void)load(with_index("other")); });
  expect_error(Code::kModelMismatch, "expected shard transformer/other",
               [&] { (void)load(with_index(file, ", \"x\": \"other\"")); });
  expect_error(Code::kModelMismatch, "expected tensor \"x\"",
               [&] { (void)load(with_index(file, ", \"x\": \"" + file + "\"")); });
  const std::string last = all.rbegin()->first;
  expect_error(Code::kModelMismatch, "also \"" + last + "\"",
               [&] { (void)load(with_index(file, "", last)); });
  expect_error(Code::kCorruptFile, "expected once, found twice", [&] {
    (void)load(with_index(file, ", \"" + all.begin()->first + "\": \"" + file + "\""));
  });
  for (const char* bad : {"", "[]", "{}", "{\"weight_map\": []}", "{\"weight_map\": {\"a\": 1}}"}) {
    Files files = plain();
    files[stem + ".safetensors.index.json"] = bytes_of(bad);
    expect_error(Code::kCorruptFile, "index.json", [&] { (void)load(files); });
  }
  Files files = with_index(file);
  files.erase(stem + ".safetensors.index.json");
  files[stem + ".safetensors.index.fp16.json"] = bytes_of("{}");
  EXPECT_NO_THROW((void)load(files)) << "the index of another variant";
}

TEST(Loading, PicklesAreRefusedWithTheWayToConvert) {
  Files files = plain();
  files["vae/diffusion_pytorch_model.bin"] = files["vae/diffusion_pytorch_model.safetensors"];
  EXPECT_NO_THROW((void)load(files)) << "beside safetensors it is not looked at";
  files.erase("vae/diffusion_pytorch_model.safetensors");
  expect_error(Code::kUnsupported, "vae/diffusion_pytorch_model.bin: expected safetensors",
               [&] { (void)load(files); });
}

TEST(Loading, DigestSeesEveryFileThatMatters) {
  const std::string digest = load(plain()).info.digest;
  EXPECT_EQ(load(plain()).info.digest, digest);
  for (const char* name :
       {kPlain, "vae/diffusion_pytorch_model.safetensors", "text_encoder_3/model.safetensors"}) {
    Files files = plain();
    const auto header = std::to_integer<std::size_t>(files[name][0]) +
                        (std::to_integer<std::size_t>(files[name][1]) << 8);
    files[name][8 + header] ^= std::byte{1};  // the start of the first tensor
    EXPECT_NE(load(files).info.digest, digest) << name;
  }
  for (const char* name : {"vae/config.json", "tokenizer/merges.txt"}) {
    Files files = plain();
    files[name].push_back(std::byte{'\n'});
    EXPECT_NE(load(files).info.digest, digest) << name;
  }
  Files files = plain();
  files["README.md"] = bytes_of("text");
  EXPECT_EQ(load(files).info.digest, digest) << "files that the model does not use";
  EXPECT_NE(load(both_variants(), "fp8").info.digest, digest);
  EXPECT_EQ(load(both_variants()).info.digest, digest) << "an unused variant";
}

TEST(Loading, DamagedWeightsAreTyped) {
  for (const char* name : {kPlain, "text_encoder_2/model.safetensors"}) {
    Files files = plain();
    files[name].resize(files[name].size() - 1);
    expect_error(Code::kCorruptFile, name, [&] { (void)load(files); });
    files[name] = bytes_of("version https://git-lfs.github.com/spec/v1\n");
    expect_error(Code::kCorruptFile, name, [&] { (void)load(files); });
    files[name].clear();
    expect_error(Code::kCorruptFile, name, [&] { (void)load(files); });
    files[name] = test::safetensors_of({});
    expect_error(Code::kModelMismatch, "found none", [&] { (void)load(files); });
  }
}

}  // namespace
}  // namespace octet
