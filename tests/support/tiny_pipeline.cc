#include "support/tiny_pipeline.h"

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>

#include "octet/error.h"

namespace octet::test {
namespace {

const VaeOptions kVaeOptions{.norm_groups = 2};
const ClipOptions kClipL{.heads = 3};
const ClipOptions kClipG{.heads = 5, .act = Act::kGeluErf};

std::int64_t clip_vocabulary() {
  return ClipTokenizer::load(tiny_tokenizer("tokenizer")).vocab_size();
}
TensorMap clip_l() { return clip_tensors({.vocabulary = clip_vocabulary()}, 11); }
TensorMap clip_g() {
  return clip_tensors(
      {.vocabulary = clip_vocabulary(), .width = 40, .hidden = 50, .layers = 3, .projection = 32},
      12);
}
TensorMap t5() {
  return t5_tensors({.vocabulary = T5Tokenizer::load(tiny_tokenizer("tokenizer_3")).vocab_size()});
}

template <typename Model, typename... Options>
Model load(Backend& backend, TensorMap tensors, const std::string& infinite, Compute compute,
           const Options&... options) {
  const auto spoilt = tensors.find(infinite);
  if (spoilt != tensors.end()) {
    const float value = std::numeric_limits<float>::infinity();
    std::memcpy(spoilt->second.data.data(), &value, sizeof value);
  }
  WeightReader reader = reader_of("component", {tensors});
  Model model(Loader(reader, backend, compute), options...);
  reader.finish();
  return model;
}

void add_tokenizer(std::map<std::string, Bytes>& files, const std::string& folder) {
  for (const auto& [name, text] : tiny_tokenizer(folder).contents) {
    files[folder + "/" + name] = bytes_of(text);
  }
}

Bytes half(const TensorMap& tensors) { return safetensors_of(as_dtype(tensors, DType::kF16)); }

}  // namespace

TokenizerFiles tiny_tokenizer(const std::string& folder) {
  TokenizerFiles files{.origin = folder, .contents = {}};
  const std::filesystem::path path =
      std::filesystem::path(OCTET_TEST_DATA) / "golden/sd3-medium/model" / folder;
  for (const auto& entry : std::filesystem::directory_iterator(path)) {
    std::ifstream in(entry.path(), std::ios::binary);
    files.contents[entry.path().filename().string()] = {std::istreambuf_iterator<char>(in),
                                                        std::istreambuf_iterator<char>()};
  }
  return files;
}

Models tiny_pipeline(Backend& backend, const PipelineSpec& spec) {
  const Compute parts = spec.compute == Compute::kF32 ? Compute::kF32 : Compute::kBF16;
  TensorMap blocks = mmdit_tensors({.family = spec.family});
  if (spec.fp8) blocks = with_fp8_blocks(std::move(blocks));
  const std::string& bad = spec.infinite;
  Models models{.text = {.clip_l_tokenizer = ClipTokenizer::load(tiny_tokenizer("tokenizer")),
                         .clip_g_tokenizer = ClipTokenizer::load(tiny_tokenizer("tokenizer_2")),
                         .t5_tokenizer = {},
                         .clip_l = load<ClipTextEncoder>(backend, clip_l(), bad, parts, kClipL),
                         .clip_g = load<ClipTextEncoder>(backend, clip_g(), bad, parts, kClipG),
                         .t5 = {}},
                .mmdit = load<Mmdit>(backend, blocks, bad, spec.compute),
                .vae = load<Vae>(backend, vae_tensors({}), bad, parts, kVaeOptions),
                .defaults = {.steps = 3, .width = 48, .height = 32, .t5_length = 19}};
  if (spec.t5) {
    models.text.t5_tokenizer = T5Tokenizer::load(tiny_tokenizer("tokenizer_3"));
    models.text.t5 = load<T5Encoder>(backend, t5(), bad, parts, T5Options{});
  }
  return models;
}

std::map<std::string, Bytes> tiny_folder(const PipelineSpec& spec) {
  std::map<std::string, Bytes> files;
  const auto text = [&](const std::string& name, const std::string& content) {
    files[name] = bytes_of(content);
  };
  text("model_index.json", R"({"_class_name": "StableDiffusion3Pipeline"})");
  text("scheduler/scheduler_config.json", R"({"shift": 2.5})");
  text("transformer/config.json", R"({"sample_size": 6})");
  text("vae/config.json", R"({"norm_num_groups": 2})");
  text("text_encoder/config.json", R"({"num_attention_heads": 3, "hidden_act": "quick_gelu"})");
  text("text_encoder_2/config.json", R"({"num_attention_heads": 5, "hidden_act": "gelu"})");
  for (const char* folder : {"tokenizer", "tokenizer_2"}) add_tokenizer(files, folder);
  const TensorMap mmdit = as_dtype(mmdit_tensors({.family = spec.family}), DType::kF16);
  if (spec.fp8) {
    files["transformer/diffusion_pytorch_model.fp8.safetensors"] =
        safetensors_of(with_fp8_blocks(mmdit));
  } else {
    files["transformer/diffusion_pytorch_model.safetensors"] = safetensors_of(mmdit);
  }
  files["vae/diffusion_pytorch_model.safetensors"] = half(vae_tensors({}));
  files["text_encoder/model.safetensors"] = half(clip_l());
  files["text_encoder_2/model.safetensors"] = half(clip_g());
  if (spec.t5) {
    add_tokenizer(files, "tokenizer_3");
    text("text_encoder_3/config.json", "{}");
    files["text_encoder_3/model.safetensors"] = half(t5());
  }
  return files;
}

}  // namespace octet::test
