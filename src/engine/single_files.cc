#include "engine/single_files.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <set>

#include "base/format.h"
#include "checkpoint/pickle.h"
#include "engine/component_names.h"
#include "octet/error.h"
#include "text/clip_vocabulary.h"

namespace octet {
namespace {

struct Part {
  const char* component;
  const char* file;  // in the diffusers layout
  const char* flag;
};
constexpr Part kParts[] = {
    {"transformer", "transformer/diffusion_pytorch_model.safetensors", "--model"},
    {"vae", "vae/diffusion_pytorch_model.safetensors", "--vae"},
    {"text_encoder", "text_encoder/model.safetensors", "--clip-l"},
    {"text_encoder_2", "text_encoder_2/model.safetensors", "--clip-g"},
    {"text_encoder_3", "text_encoder_3/model.safetensors", "--t5"},
};

// Names that tell a component whose tensors carry no prefix.
constexpr ComponentPrefix kMarks[] = {
    {"joint_blocks.", "transformer"},   {"transformer_blocks.", "transformer"},
    {"decoder.conv_in.", "vae"},        {"encoder.block.", "text_encoder_3"},
    {"enc.blk.", "text_encoder_3"},     {"text_model.", "clip"},
    {"transformer.resblocks.", "clip"}, {"encoder.layers.", "clip"},
};

constexpr const char* kT5TokenizerHelp =
    "give --t5-tokenizer FILE, the spiece.model or tokenizer.json of google/t5-v1_1-xxl (the same "
    "file lies in tokenizer_3/ of every diffusers folder of SD3)";

std::shared_ptr<const TensorFile> open_checked(const std::string& path) {
  if (is_pickle_name(path)) refuse_pickle(path);
  return open_tensor_file(open_file(path));
}

/// Components of one file, by name; "clip" where only the width can tell which.
std::vector<std::string> components_of(const TensorFile& file) {
  std::vector<std::string> found;
  for (const ComponentPrefix& p : component_prefixes()) {
    if (has_name(file, p.prefix) && (found.empty() || found.back() != p.component)) {
      found.emplace_back(p.component);
    }
  }
  for (const ComponentPrefix& m : kMarks) {
    if (found.empty() && has_name(file, m.prefix)) found.emplace_back(m.component);
  }
  return found;
}

// Columns of the token table; 0 where there is none.
std::int64_t clip_width(const TensorFile& file) {
  for (const char* name : {"text_model.embeddings.token_embedding.weight",
                           "embeddings.token_embedding.weight", "token_embedding.weight"}) {
    const auto it = file.tensors().find(name);
    if (it != file.tensors().end() && it->second.dims.size() == 2) return it->second.dims[1];
  }
  return 0;
}

class SingleFiles final : public FileSet {
 public:
  explicit SingleFiles(const EngineOptions& options) : location_(options.model) {
    const auto main = open_checked(options.model);
    check_all_known({main});
    const std::vector<std::string> held = components_of(*main);
    if (std::find(held.begin(), held.end(), "transformer") == held.end()) {
      throw Error(
          Code::kModelMismatch,
          format("%s: expected the transformer of an SD3 model, found %s", options.model.c_str(),
                 held.empty() ? "tensors of no known model" : held[0].c_str()));
    }
    for (const std::string& component : held) paths_[component] = options.model;
    const ModelParts& p = options.parts;
    if (!p.folder.empty()) add_folder(p.folder);
    add_given("text_encoder", p.clip_l);
    add_given("text_encoder_2", p.clip_g);
    add_given("text_encoder_3", p.t5);
    add_given("vae", p.vae);
    add_texts(p.t5_tokenizer);
  }

  const std::string& location() const override { return location_; }
  std::string layout() const override {
    std::set<std::string> files;
    for (const auto& [component, path] : paths_) files.insert(path);
    if (files.size() == 1) return "single file";
    return format("single file and %zu files of parts", files.size() - 1);
  }
  bool stands_in(const std::string& file) const override { return texts_.count(file) != 0; }
  std::string advice(const std::string& part) const override {
    if (part == "tokenizer_3") return kT5TokenizerHelp;
    for (const Part& p : kParts) {
      if (part == p.component) return format("give %s FILE, or --text-encoders FOLDER", p.flag);
    }
    return "";
  }
  bool has(const std::string& file) const override {
    return texts_.count(file) != 0 || path_of(file) != nullptr;
  }
  std::vector<std::string> list() const override {
    std::vector<std::string> names;
    for (const auto& [name, text] : texts_) names.push_back(name);
    for (const Part& part : kParts) {
      if (paths_.count(part.component) != 0) names.emplace_back(part.file);
    }
    std::sort(names.begin(), names.end());
    return names;
  }
  std::unique_ptr<ByteSource> open(const std::string& file) const override {
    if (const std::string* path = path_of(file)) return open_file(*path);
    const auto it = texts_.find(file);
    if (it == texts_.end()) throw Error(Code::kIo, location_ + ": " + file + ": no such file");
    return open_memory(location_ + ": " + file, std::as_bytes(std::span(it->second)));
  }

 private:
  const std::string* path_of(const std::string& file) const {
    for (const Part& part : kParts) {
      const auto it = paths_.find(part.component);
      if (file == part.file && it != paths_.end()) return &it->second;
    }
    return nullptr;
  }

  // What is given by its flag replaces what the model's file or the folder holds.
  void add_given(const std::string& component, const std::string& path) {
    if (path.empty()) return;
    const auto file = open_checked(path);
    const std::vector<std::string> held = components_of(*file);
    const bool clip = component == "text_encoder" || component == "text_encoder_2";
    const auto fits = [&](const std::string& c) { return c == component || (clip && c == "clip"); };
    if (std::none_of(held.begin(), held.end(), fits)) {
      throw Error(
          Code::kModelMismatch,
          format("%s: expected the tensors of %s, found %s", path.c_str(), component.c_str(),
                 held.empty() ? "tensors of no known model" : held[0].c_str()));
    }
    paths_[component] = path;
  }

  void add_folder(const std::string& folder) {
    std::vector<std::pair<std::int64_t, std::string>> clips;  // by width
    const auto files = open_folder(folder);
    for (const std::string& name : files->list()) {
      if (!name.ends_with(".safetensors") && !name.ends_with(".gguf")) continue;
      const std::string path = folder + "/" + name;
      const auto file = open_checked(path);
      for (const std::string& component : components_of(*file)) {
        if (component == "clip") {
          clips.emplace_back(clip_width(*file), path);
        } else if (component != "transformer") {
          add_found(component, path);
        }
      }
    }
    std::sort(clips.begin(), clips.end());
    constexpr std::int64_t kWidthOfG = 1280;
    if (clips.size() == 1) {
      add_found(clips[0].first >= kWidthOfG ? "text_encoder_2" : "text_encoder", clips[0].second);
    } else {
      for (std::size_t i = 0; i < clips.size(); ++i) {
        add_found(i == 0 ? "text_encoder" : "text_encoder_2", clips[i].second);
      }
    }
  }

  void add_found(const std::string& component, const std::string& path) {
    const auto [it, fresh] = paths_.emplace(component, path);
    if (fresh || it->second == location_) return;  // the model's own file comes first
    throw Error(Code::kModelMismatch,
                format("%s: expected it once, found it in %s and in %s; choose by its flag",
                       component.c_str(), it->second.c_str(), path.c_str()));
  }

  void add_texts(const std::string& t5_tokenizer) {
    texts_["model_index.json"] = R"({"_class_name": "StableDiffusion3Pipeline"})";
    const auto add = [&](const std::string& folder, const TokenizerFiles& files) {
      for (const auto& [name, text] : files.contents) texts_[folder + "/" + name] = text;
    };
    add("tokenizer", clip_tokenizer_files(ClipPadding::kEndOfText));
    add("tokenizer_2", clip_tokenizer_files(ClipPadding::kZero));
    if (paths_.count("text_encoder_3") == 0) return;
    if (t5_tokenizer.empty()) return;  // refused when it is wanted
    const auto source = open_file(t5_tokenizer);
    constexpr std::uint64_t kMost = std::uint64_t{64} << 20;
    if (source->size() > kMost) {
      throw Error(Code::kCorruptFile, t5_tokenizer + ": expected a tokenizer of at most 64 MiB");
    }
    std::string text(static_cast<std::size_t>(source->size()), '\0');
    source->read(0, std::as_writable_bytes(std::span(text)));
    const std::size_t start = text.find_first_not_of(" \t\r\n");
    const bool json = start != std::string::npos && text[start] == '{';
    texts_[json ? "tokenizer_3/tokenizer.json" : "tokenizer_3/spiece.model"] = std::move(text);
  }

  std::string location_;
  std::map<std::string, std::string> paths_;  // of the file that holds a component
  std::map<std::string, std::string> texts_;
};

}  // namespace

std::unique_ptr<FileSet> open_single_files(const EngineOptions& options) {
  return std::make_unique<SingleFiles>(options);
}

}  // namespace octet
