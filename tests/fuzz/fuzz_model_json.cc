// libFuzzer target: the JSON files of a model folder. The first byte chooses which of them the rest
// is; the others are sound. Nothing but octet::Error may come out.
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "engine/model_folder.h"
#include "octet/error.h"

namespace {

struct Json {
  const char* name;
  std::string text;
};

std::array<Json, 8> sound_files() {
  return {{{"model_index.json", R"({"_class_name": "StableDiffusion3Pipeline"})"},
           {"octet.json", R"({"name": "x", "steps": 3})"},
           {"scheduler/scheduler_config.json", R"({"shift": 3.0})"},
           {"text_encoder/config.json", R"({"num_attention_heads": 2})"},
           {"text_encoder_3/config.json", R"({"layer_norm_epsilon": 1e-6})"},
           {"transformer/config.json", R"({"sample_size": 128})"},
           {"transformer/diffusion_pytorch_model.safetensors.index.json",
            R"({"weight_map": {"a": "diffusion_pytorch_model.safetensors"}})"},
           {"vae/config.json", R"({"scaling_factor": 1.5305})"}}};
}

// One tensor "a" of one byte.
std::string weights() {
  const std::string header = R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})";
  std::string file(8, '\0');
  file[0] = static_cast<char>(header.size());
  return file + header + "x";
}

void attempt(const std::function<void()>& action) {
  try {
    action();
  } catch (const octet::Error& error) {
    if (std::string(error.what()).find('\n') != std::string::npos) __builtin_trap();
  }
}

octet::EmbeddedFile entry(const char* name, const std::string& text) {
  const auto* begin = reinterpret_cast<const unsigned char*>(text.data());
  return {name, begin, begin + text.size()};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  auto files = sound_files();
  files[data[0] % files.size()].text.assign(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string tensors = weights();
  std::vector<octet::EmbeddedFile> table;
  for (const Json& json : files) table.push_back(entry(json.name, json.text));
  table.push_back(entry("transformer/diffusion_pytorch_model.safetensors", tensors));
  attempt([&] {
    const octet::ModelFolder folder(octet::open_embedded("fuzz", table));
    attempt([&] { (void)folder.name(); });
    attempt([&] { (void)folder.clip_options("text_encoder", octet::Act::kQuickGelu); });
    attempt([&] { (void)folder.t5_options(); });
    attempt([&] { (void)folder.vae_options(); });
    attempt([&] { (void)folder.defaults({}); });
    attempt([&] { (void)folder.open("transformer", ""); });
  });
  return 0;
}
