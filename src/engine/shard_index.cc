#include "engine/shard_index.h"

#include <map>
#include <set>

#include "base/format.h"
#include "base/json_document.h"
#include "octet/error.h"

namespace octet {
namespace {

constexpr std::uint64_t kMaxIndex = std::uint64_t{64} << 20;

std::string folder_of(const std::string& file) { return file.substr(0, file.rfind('/') + 1); }

// A shard is named without a path: whatever else is written there must not lead out of the folder.
bool is_file_name(const std::string& name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos &&
         name.find('\\') == std::string::npos && name.find('\0') == std::string::npos;
}

using WeightMap = std::map<std::string, std::set<std::string>>;  // shard -> its tensors

WeightMap read_index(const FileSet& files, const std::string& index) {
  const std::string path = files.location() + "/" + index;
  const json::Value document = json::parse(read_text(files, index, kMaxIndex), path);
  json::require_object(document, path, "document");
  const json::Value* weights = json::find(document, "weight_map", path);
  if (weights == nullptr) json::fail(path, "weight_map", "an object", nullptr);
  json::require_object(*weights, path, "weight_map");
  WeightMap map;
  for (const auto& [tensor, shard] : weights->items()) {
    const std::string name = json::require_string(shard, path, tensor);
    if (!is_file_name(name)) {
      json::fail(path, tensor, "the name of a file in the same folder", &shard);
    }
    map[folder_of(index) + name].insert(tensor);
  }
  return map;
}

[[noreturn]] void refuse(const std::string& index, const std::string& what,
                         const std::string& found) {
  throw Error(Code::kModelMismatch,
              format("%s: expected %s, found %s", index.c_str(), excerpt(what, 200).c_str(),
                     excerpt(found, 200).c_str()));
}

}  // namespace

std::string find_shard_index(const FileSet& files, const std::string& stem,
                             const std::string& variant) {
  const std::string label = variant.empty() ? "" : "." + variant;
  for (const std::string& name :
       {stem + ".safetensors.index" + label + ".json", stem + label + ".safetensors.index.json"}) {
    if (files.has(name)) return name;
  }
  return "";
}

void check_shard_index(const FileSet& files, const std::string& index,
                       const std::vector<std::string>& shards, const TensorFiles& opened) {
  WeightMap listed = read_index(files, index);
  for (std::size_t i = 0; i < shards.size(); ++i) {
    const auto it = listed.find(shards[i]);
    if (it == listed.end()) refuse(index, "the shards that it lists", "also " + shards[i]);
    for (const auto& [tensor, info] : opened[i]->tensors()) {
      if (it->second.erase(tensor) == 0) {
        refuse(index, "the tensors that it lists in " + shards[i], "also \"" + tensor + "\"");
      }
    }
    if (!it->second.empty()) {
      refuse(index, "tensor \"" + *it->second.begin() + "\" in " + shards[i], "it missing there");
    }
    listed.erase(it);
  }
  if (!listed.empty()) refuse(index, "shard " + listed.begin()->first, "no such file");
}

}  // namespace octet
