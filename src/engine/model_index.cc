#include "engine/model_index.h"

#include <map>

#include "base/format.h"
#include "base/json_document.h"
#include "octet/error.h"

namespace octet {
namespace {

constexpr const char* kIndex = "model_index.json";
constexpr const char* kPipelines = "StableDiffusion3";  // "...Pipeline", "...Img2ImgPipeline"

struct Part {
  const char* name;
  const char* class_name;
};
constexpr Part kParts[] = {{"transformer", "SD3Transformer2DModel"},
                           {"vae", "AutoencoderKL"},
                           {"text_encoder", "CLIPTextModelWithProjection"},
                           {"text_encoder_2", "CLIPTextModelWithProjection"},
                           {"text_encoder_3", "T5EncoderModel"}};

[[noreturn]] void refuse(const std::string& part, const std::string& message) {
  throw Error(Code::kModelMismatch, part + ": " + message);
}

// The class of a part; empty where the index says that there is none: absent or [null, null].
std::string class_of(const json::Value& index, const char* part, const std::string& path) {
  const json::Value* entry = json::find(index, part, path);
  if (entry == nullptr) return "";
  const json::Value& pair = json::require_array(*entry, path, part);
  if (pair.size() == 2 && pair[0].is_null() && pair[1].is_null()) return "";
  if (pair.size() != 2 || !pair[0].is_string() || !pair[1].is_string()) {
    json::fail(path, part, "library and class", entry);
  }
  return pair[1].get<std::string>();
}

}  // namespace

void check_model_index(const FileSet& files,
                       const std::function<bool(const std::string&)>& has_weights) {
  constexpr std::uint64_t kMost = 1 << 20;
  const std::string path = files.location() + "/" + kIndex;
  const json::Value index = json::parse(read_text(files, kIndex, kMost), path);
  json::require_object(index, path, "document");
  const std::string pipeline = json::string_or(index, "_class_name", kPipelines, path);
  if (!pipeline.starts_with(kPipelines)) {
    refuse(path, format("_class_name: expected %sPipeline, found %s", kPipelines,
                        excerpt(pipeline).c_str()));
  }
  std::map<std::string, std::string> listed;
  for (const Part& part : kParts) {
    const std::string found = class_of(index, part.name, path);
    if (found.empty()) continue;
    if (found != part.class_name) {
      refuse(part.name, format("%s: expected the class %s, found %s", kIndex, part.class_name,
                               excerpt(found).c_str()));
    }
    listed[part.name] = found;
  }
  if (listed.empty()) return;
  for (const Part& part : kParts) {
    // Named in messages: a part that is listed, other than the one that differs.
    const auto& beside = listed.begin()->first == part.name ? *listed.rbegin() : *listed.begin();
    const bool here = has_weights(part.name);
    if (here && listed.count(part.name) == 0) {
      refuse(part.name, format("found weights of it, but %s does not list it beside %s", kIndex,
                               beside.first.c_str()));
    }
    if (!here && listed.count(part.name) != 0) {
      const bool optional = part.name == std::string("text_encoder_3");
      refuse(part.name, format("%s lists it beside %s, found no safetensors of it%s", kIndex,
                               beside.first.c_str(),
                               optional ? ": to do without T5, list it as [null, null]" : ""));
    }
  }
}

}  // namespace octet
