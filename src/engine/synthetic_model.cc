#include "engine/synthetic_model.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>

#include "base/format.h"
#include "octet/error.h"

namespace octet {
namespace {

using Json = nlohmann::ordered_json;

constexpr SyntheticSizes::Clip kClipL{768, 3072, 12, 12, 49408, false};
constexpr SyntheticSizes::Clip kClipG{1280, 5120, 32, 20, 49408, true};
constexpr SyntheticSizes::T5 kT5Xxl{4096, 10240, 24, 64, 32128};
constexpr SyntheticSizes kSizes[] = {
    {"sd3.5-large", 38, 0, true, 192, kClipL, kClipG, kT5Xxl, 128, 32},
    {"sd3.5-medium", 24, 13, true, 384, kClipL, kClipG, kT5Xxl, 128, 32},
    {"sd3-medium", 24, 0, false, 192, kClipL, kClipG, kT5Xxl, 128, 32},
};

constexpr const char* kTiny = "-tiny";

// Same structure, smallest sizes.
SyntheticSizes shrink(SyntheticSizes s) {
  s.depth = 2;
  s.dual = std::min<std::int64_t>(s.dual, 1);
  s.positions = 16;
  s.clip_l = {32, 64, 2, 2, 514, false};
  s.clip_g = {48, 96, 2, 3, 514, true};
  s.t5 = {96, 128, 2, 3, 256};
  s.vae_width = 16;
  s.vae_groups = 8;
  return s;
}

struct Choice {
  SyntheticSizes sizes{};
  bool tiny = false;
  SyntheticFormat format = SyntheticFormat::kFP8;
};

constexpr std::pair<const char*, SyntheticFormat> kFormats[] = {
    {"fp8", SyntheticFormat::kFP8},
    {"fp8-static", SyntheticFormat::kFP8Static},
    {"bf16", SyntheticFormat::kBF16},
};

Choice parse(const std::string& model) {
  std::string name = model.substr(std::strlen(kSyntheticPrefix));
  Choice choice;
  const std::size_t at = name.find('@');
  const std::string precision = at == std::string::npos ? "fp8" : name.substr(at + 1);
  bool known = false;
  for (const auto& [label, format] : kFormats) {
    if (precision != label) continue;
    choice.format = format;
    known = true;
  }
  name = name.substr(0, at);
  if (name.ends_with(kTiny)) {
    choice.tiny = true;
    name.resize(name.size() - std::strlen(kTiny));
  }
  for (const SyntheticSizes& sizes : kSizes) {
    if (name != sizes.name || !known) continue;
    choice.sizes = choice.tiny ? shrink(sizes) : sizes;
    return choice;
  }
  throw Error(Code::kInvalidArgument,
              format("model: expected %sNAME[@fp8|@fp8-static|@bf16] with a NAME of %s, found %s",
                     kSyntheticPrefix, synthetic_names().c_str(), excerpt(model).c_str()));
}

/// A safetensors file whose data is computed as it is read.
class RandomFile final : public ByteSource {
 public:
  RandomFile(std::string name, const std::vector<SyntheticTensor>& tensors)
      : name_(std::move(name)) {
    Json header = Json::object();
    std::uint64_t end = 0;
    for (const SyntheticTensor& t : tensors) {
      std::uint64_t bytes = size_of(t.codes.dtype);
      for (const std::int64_t d : t.dims) bytes *= static_cast<std::uint64_t>(d);
      header[t.name] = {{"dtype", safetensors_name(t.codes.dtype)},
                        {"shape", t.dims},
                        {"data_offsets", {end, end + bytes}}};
      regions_[end] = {.bytes = bytes, .codes = t.codes};
      end += bytes;
    }
    std::string text = header.dump();
    text.resize((text.size() + 7) / 8 * 8, ' ');
    const std::uint64_t length = text.size();
    header_.resize(sizeof(length) + text.size());
    std::memcpy(header_.data(), &length, sizeof(length));  // little endian, as this program needs
    std::memcpy(header_.data() + sizeof(length), text.data(), text.size());
    size_ = header_.size() + end;
  }

  const std::string& name() const override { return name_; }
  std::uint64_t size() const override { return size_; }

  void read(std::uint64_t offset, std::span<std::byte> destination) const override {
    if (offset > size_ || destination.size() > size_ - offset) {
      throw Error(Code::kIo, name_ + ": expected a range inside the file");
    }
    while (!destination.empty()) {
      const std::size_t done = read_some(offset, destination);
      offset += done;
      destination = destination.subspan(done);
    }
  }
  const RandomCodes* formula(std::uint64_t offset) const override {
    const auto region = regions_.find(offset - header_.size());
    return region == regions_.end() ? nullptr : &region->second.codes;
  }

 private:
  struct Region {
    std::uint64_t bytes = 0;
    RandomCodes codes;
  };

  // As much of the range as lies in the header or in one tensor.
  std::size_t read_some(std::uint64_t offset, std::span<std::byte> destination) const {
    if (offset < header_.size()) {
      const std::size_t n = std::min<std::size_t>(destination.size(), header_.size() - offset);
      std::memcpy(destination.data(), header_.data() + offset, n);
      return n;
    }
    const std::uint64_t at = offset - header_.size();
    const auto region = std::prev(regions_.upper_bound(at));
    const std::uint64_t skip = at - region->first;
    const std::size_t n = std::min<std::size_t>(destination.size(), region->second.bytes - skip);
    fill_random(region->second.codes, skip, destination.first(n));
    return n;
  }

  std::string name_;
  std::vector<char> header_;
  std::map<std::uint64_t, Region> regions_;  // by offset in the data
  std::uint64_t size_ = 0;
};

// Byte-level BPE without merges: a prompt's bytes are its tokens. Begin and end are the last ids.
std::map<std::string, std::string> clip_tokenizer(std::int64_t vocabulary) {
  // The printable stand-ins of byte-level BPE: printable Latin-1 as itself, other bytes from 256.
  const auto printable = [](int b) {
    return (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
  };
  Json vocab = Json::object();
  int next = 256;
  std::vector<std::string> symbols;
  for (int b = 0; b < 256; ++b) {
    const int code = printable(b) ? b : next++;
    std::string& utf8 = symbols.emplace_back();
    if (code >= 128) utf8.push_back(static_cast<char>(0xC0 | (code >> 6)));
    utf8.push_back(static_cast<char>(code < 128 ? code : 0x80 | (code & 0x3F)));
  }
  for (int b = 0; b < 256; ++b) vocab[symbols[static_cast<std::size_t>(b)]] = b;
  for (int b = 0; b < 256; ++b) vocab[symbols[static_cast<std::size_t>(b)] + "</w>"] = 256 + b;
  vocab["<|startoftext|>"] = vocabulary - 2;
  vocab["<|endoftext|>"] = vocabulary - 1;
  return {{"vocab.json", vocab.dump()}, {"merges.txt", "#version: 0.2\n"}};
}

// Unigram over single ASCII characters.
std::map<std::string, std::string> t5_tokenizer() {
  Json vocab = Json::array({{"<pad>", 0.0}, {"</s>", 0.0}, {"<unk>", 0.0}, {"\u2581", -2.0}});
  for (char c = '!'; c <= '~'; ++c) vocab.push_back({std::string(1, c), -4.0});
  const Json end = {{"SpecialToken", {{"id", "</s>"}, {"type_id", 0}}}};
  const Json text = {{"Sequence", {{"id", "A"}, {"type_id", 0}}}};
  const Json document = {
      {"version", "1.0"},
      {"added_tokens", Json::array()},
      {"normalizer", nullptr},
      {"pre_tokenizer",
       {{"type", "Metaspace"},
        {"replacement", "\u2581"},
        {"prepend_scheme", "always"},
        {"split", true}}},
      {"post_processor",
       {{"type", "TemplateProcessing"},
        {"single", Json::array({text, end})},
        {"special_tokens", {{"</s>", {{"id", "</s>"}, {"ids", {1}}, {"tokens", {"</s>"}}}}}}}},
      {"model", {{"type", "Unigram"}, {"unk_id", 2}, {"vocab", vocab}, {"byte_fallback", false}}}};
  return {{"tokenizer.json", document.dump()}};
}

class SyntheticFiles final : public FileSet {
 public:
  SyntheticFiles(const std::string& location, const Choice& choice)
      : location_(location), choice_(choice) {
    const SyntheticSizes& s = choice.sizes;
    constexpr int kPixelsPerPosition = 16;
    const auto clip_config = [&](const SyntheticSizes::Clip& c, const char* act) {
      return Json{{"num_attention_heads", c.heads}, {"hidden_act", act}};
    };
    text("model_index.json", {{"_class_name", "StableDiffusion3Pipeline"}});
    text("scheduler/scheduler_config.json", {{"shift", 3.0}});
    text("transformer/config.json",
         {{"sample_size", choice.tiny ? s.positions * kPixelsPerPosition / 8 : 128}});
    text("vae/config.json", {{"norm_num_groups", s.vae_groups}});
    text("text_encoder/config.json", clip_config(s.clip_l, "quick_gelu"));
    text("text_encoder_2/config.json", clip_config(s.clip_g, "gelu"));
    text("text_encoder_3/config.json", Json::object());
    text("octet.json", {{"name", location}, {"steps", 28}, {"guidance", 4.5}});
    add("tokenizer", clip_tokenizer(s.clip_l.vocabulary));
    add("tokenizer_2", clip_tokenizer(s.clip_g.vocabulary));
    add("tokenizer_3", t5_tokenizer());
    for (const char* part : {"text_encoder", "text_encoder_2", "text_encoder_3"}) {
      weights_[std::string(part) + "/model.safetensors"] = part;
    }
    for (const char* part : {"transformer", "vae"}) {
      weights_[std::string(part) + "/diffusion_pytorch_model.safetensors"] = part;
    }
  }

  const std::string& location() const override { return location_; }
  bool has(const std::string& file) const override {
    return texts_.count(file) != 0 || weights_.count(file) != 0;
  }
  std::vector<std::string> list() const override {
    std::vector<std::string> names;
    for (const auto& [name, content] : texts_) names.push_back(name);
    for (const auto& [name, component] : weights_) names.push_back(name);
    std::sort(names.begin(), names.end());
    return names;
  }
  std::unique_ptr<ByteSource> open(const std::string& file) const override {
    const std::string path = location_ + "/" + file;
    const auto weight = weights_.find(file);
    if (weight != weights_.end()) {
      return std::make_unique<RandomFile>(
          path, synthetic_tensors(choice_.sizes, weight->second, choice_.format));
    }
    const auto content = texts_.find(file);
    if (content == texts_.end()) throw Error(Code::kIo, path + ": no such file");
    return open_memory(path, std::as_bytes(std::span(content->second)));
  }

 private:
  void text(const std::string& file, const Json& content) { texts_[file] = content.dump(); }
  void add(const std::string& folder, const std::map<std::string, std::string>& files) {
    for (const auto& [name, content] : files) texts_[folder + "/" + name] = content;
  }

  std::string location_;
  Choice choice_;
  std::map<std::string, std::string> texts_;
  std::map<std::string, std::string> weights_;  // file -> component
};

}  // namespace

std::unique_ptr<FileSet> open_synthetic(const std::string& model) {
  return std::make_unique<SyntheticFiles>(model, parse(model));
}

std::string synthetic_names() {
  std::string names;
  for (const SyntheticSizes& sizes : kSizes)
    names += (names.empty() ? "" : ", ") + std::string(sizes.name);
  return names;
}

}  // namespace octet
