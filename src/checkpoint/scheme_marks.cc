#include "checkpoint/scheme_marks.h"

#include <algorithm>

#include "base/format.h"
#include "base/json_document.h"
#include "octet/error.h"

namespace octet {
namespace {

[[noreturn]] void unsupported(const std::string& where, const std::string& what,
                              const std::string& expected, const std::string& found) {
  throw Error(Code::kUnsupported, format("%s: %s: expected %s, found %s", excerpt(where).c_str(),
                                         what.c_str(), expected.c_str(), excerpt(found).c_str()));
}

const json::Value& require(const json::Value& object, const char* key, const std::string& where) {
  const json::Value* value = json::find(object, key, where);
  if (value == nullptr) json::fail(where, key, "a value", nullptr);
  return *value;
}

LayerMark comfy_mark(const json::Value& object, const std::string& where) {
  json::require_object(object, where, "quantization of a layer");
  LayerMark mark;
  for (const auto& [key, value] : object.items()) {
    if (key == "format") {
      const std::string name = json::require_string(value, where, "format");
      if (name == "float8_e4m3fn") {
        mark.codes = DType::kF8E4M3;
      } else if (name == "float8_e5m2") {
        mark.codes = DType::kF8E5M2;
      } else {
        unsupported(where, "format", "float8_e4m3fn or float8_e5m2", name);
      }
    } else if (key == "full_precision_matrix_mult") {
      if (json::bool_or(object, key, false, where)) mark.wide_inputs = key;
    } else {
      unsupported(where, "quantization of a layer", "format and full_precision_matrix_mult", key);
    }
  }
  if (!mark.codes) json::fail(where, "format", "the name of a format", nullptr);
  return mark;
}

// Patterns with * match greedily from the left, without recursion.
bool matches(std::string_view pattern, std::string_view text) {
  std::size_t p = 0, t = 0, star = std::string_view::npos, resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

std::vector<std::string> strings(const json::Value& object, const char* key,
                                 const std::string& where) {
  std::vector<std::string> list;
  const json::Value* value = json::find(object, key, where);
  if (value == nullptr) return list;
  for (const json::Value& each : json::require_array(*value, where, key)) {
    list.push_back(json::require_string(each, where, key));
  }
  return list;
}

// `config_groups` of ModelOpt: every group's weights must be 8-bit floats.
void check_groups(const json::Value& config, const std::string& where) {
  const json::Value* groups = json::find(config, "config_groups", where);
  if (groups == nullptr) return;
  for (const auto& [name, group] : json::require_object(*groups, where, "config_groups").items()) {
    const json::Value* weights = json::find(group, "weights", where);
    if (weights == nullptr) continue;
    const json::Value* bits = json::find(*weights, "num_bits", where);
    const std::string type = json::string_or(*weights, "type", "float", where);
    if (bits != nullptr && *bits == 8 && type == "float") continue;
    unsupported(where, "config_groups." + name + ".weights", "8-bit floats",
                (bits ? bits->dump() : "?") + "-bit " + type);
  }
}

std::int64_t square_block(const json::Value& config, const std::string& where) {
  const json::Value* size = json::find(config, "weight_block_size", where);
  if (size == nullptr) return 0;
  const json::Value& sides = json::require_array(*size, where, "weight_block_size");
  constexpr int kMostBlock = 1 << 16;
  if (sides.size() == 2 && sides[0] == sides[1] && sides[0].is_number_unsigned() && sides[0] > 0 &&
      sides[0] <= kMostBlock) {
    return sides[0].get<std::int64_t>();
  }
  unsupported(where, "weight_block_size", "square blocks", sides.dump());
}

}  // namespace

LayerMark comfy_layer_mark(const std::string& text, const std::string& where) {
  return comfy_mark(json::parse(text, where), where);
}

std::map<std::string, LayerMark> comfy_file_marks(const std::string& text,
                                                  const std::string& where) {
  const json::Value document = json::parse(text, where);
  json::require_object(document, where, "document");
  const std::string version = json::string_or(document, "format_version", "1.0", where);
  if (version != "1.0") unsupported(where, "format_version", "1.0", version);
  std::map<std::string, LayerMark> marks;
  const json::Value& layers = require(document, "layers", where);
  for (const auto& [name, layer] : json::require_object(layers, where, "layers").items()) {
    marks.emplace(name, comfy_mark(layer, where + ": " + excerpt(name)));
  }
  return marks;
}

LayerMark torchao_mark(const std::string& text, const std::string& where) {
  const json::Value document = json::parse(text, where);
  json::require_object(document, where, "document");
  const std::string type = json::string_or(document, "_type", "", where);
  if (type != "Float8Tensor") unsupported(where, "_type", "Float8Tensor", type);
  const json::Value& data = require(document, "_data", where);
  json::require_object(data, where, "_data");
  LayerMark mark;
  if (json::find(data, "act_quant_kwargs", where) == nullptr) mark.wide_inputs = "weight-only";
  for (const json::Value& side :
       json::require_array(require(data, "block_size", where), where, "block_size")) {
    if (!side.is_number_integer()) json::fail(where, "block_size", "whole numbers", &side);
    mark.block.push_back(side.get<std::int64_t>());
  }
  return mark;
}

FolderMark folder_mark(const std::string& text, const std::string& where) {
  const json::Value document = json::parse(text, where);
  json::require_object(document, where, "quantization config");
  FolderMark mark;
  const json::Value* exported = json::find(document, "quantization", where);
  if (exported != nullptr) {  // hf_quant_config.json
    const std::string algorithm = json::string_or(*exported, "quant_algo", "", where);
    if (algorithm != "FP8") unsupported(where, "quant_algo", "FP8", algorithm);
    mark.method = "modelopt";
    mark.excluded = strings(*exported, "exclude_modules", where);
    return mark;
  }
  mark.method = json::string_or(document, "quant_method", "", where);
  if (mark.method == "modelopt") {
    const std::string algorithm = json::string_or(document, "quant_algo", "FP8", where);
    if (algorithm != "FP8") unsupported(where, "quant_algo", "FP8", algorithm);
    check_groups(document, where);
    mark.excluded = strings(document, "ignore", where);
  } else if (mark.method == "fp8") {
    mark.block = square_block(document, where);
    mark.excluded = strings(document, "modules_to_not_convert", where);
  } else if (mark.method != "torchao") {
    unsupported(where, "quant_method", "modelopt, torchao or fp8", mark.method);
  }
  return mark;
}

bool excluded_by(const std::vector<std::string>& patterns, const std::string& layer) {
  return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
    return matches(pattern, layer) || layer.starts_with(pattern + ".");
  });
}

}  // namespace octet
