// Readers of tokenizer_config.json, special_tokens_map.json, vocab.json and merges.txt.
#include <algorithm>

#include "base/format.h"
#include "base/json_document.h"
#include "octet/error.h"
#include "text/tokenizer_json.h"
#include "text/tokenizer_spec.h"
#include "text/unicode.h"

namespace octet {
namespace {

constexpr char kConfigFile[] = "tokenizer_config.json";
constexpr char kMapFile[] = "special_tokens_map.json";

/// Key `key` of `source`: a string, or an object with the content and its flags.
std::optional<SpecialToken> read_special(const json::Value& source, const char* key,
                                         const std::string& file) {
  const json::Value* value = json::find(source, key, file);
  if (!value) return std::nullopt;
  SpecialToken token;
  if (value->is_object()) {
    token.flags = read_added_token(*value, file, key);
    token.content = token.flags.content;
    token.explicit_flags = true;
  } else {
    token.content = json::require_string(*value, file, key);
  }
  return token;
}

void read_specials(const json::Value& source, const std::string& file, TokenizerConfig& config) {
  const auto fill = [&](std::optional<SpecialToken>& target, const char* key) {
    if (!target) target = read_special(source, key, file);
  };
  fill(config.bos, "bos_token");
  fill(config.eos, "eos_token");
  fill(config.pad, "pad_token");
  fill(config.unk, "unk_token");
}

std::int32_t parse_id(const std::string& text, const std::string& file) {
  const bool digits =
      !text.empty() && text.size() <= 8 &&
      std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  const std::int32_t id = digits ? std::stoi(text) : -1;
  if (id < 0 || id > kMaxTokenId) {
    throw Error(Code::kCorruptFile,
                format("%s: added_tokens_decoder: expected token ids as keys, found %s",
                       excerpt(file).c_str(), excerpt(text).c_str()));
  }
  return id;
}

void read_settings(const json::Value& source, const std::string& file, TokenizerConfig& config) {
  if (const json::Value* added = json::find(source, "added_tokens_decoder", file)) {
    for (const auto& [key, value] :
         json::require_object(*added, file, "added_tokens_decoder").items()) {
      AddedToken token = read_added_token(value, file, "added_tokens_decoder");
      token.id = parse_id(key, file);
      config.added.push_back(std::move(token));
    }
  }
  if (const json::Value* length = json::find(source, "model_max_length", file)) {
    // "No limit" is written as a number far beyond any integer.
    if (!length->is_number()) json::fail(file, "model_max_length", "a number", length);
    const double number = length->get<double>();
    if (!(number >= 1)) json::fail(file, "model_max_length", "a positive number", length);
    if (number <= kMaxTokenId) config.model_max_length = static_cast<int>(number);
  }
  if (const json::Value* extra = json::find(source, "extra_ids", file)) {
    const bool valid = extra->is_number_unsigned() && extra->get<std::uint64_t>() <= 10000;
    if (!valid) json::fail(file, "extra_ids", "a number from 0 to 10000", extra);
    config.extra_ids = extra->get<int>();
  }
  const json::Value* legacy = json::find(source, "legacy", file);
  if (legacy) config.legacy = json::bool_or(source, "legacy", true, file);
}

/// One merge rule per line, "left right"; a first line with "#version" is a comment.
std::vector<std::pair<std::string, std::string>> read_merges(std::string_view text,
                                                             const std::string& file) {
  if (const auto offset = unicode::find_invalid_utf8(text)) {
    throw Error(Code::kCorruptFile,
                format("%s: expected UTF-8 text, found an invalid byte at offset %zu",
                       excerpt(file).c_str(), *offset));
  }
  std::vector<std::pair<std::string, std::string>> merges;
  std::size_t number = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    std::string_view line = text.substr(begin, end - begin);
    begin = end + 1;
    ++number;
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line.empty() || (number == 1 && line.find("#version") != std::string_view::npos)) continue;
    merges.push_back(split_merge(line, file, number));
  }
  return merges;
}

}  // namespace

TokenizerConfig read_tokenizer_config(const TokenizerFiles& files) {
  TokenizerConfig config;
  json::Value settings = json::Value::object(), map = json::Value::object();
  const std::string settings_file = files.path_of(kConfigFile), map_file = files.path_of(kMapFile);
  if (const std::string* text = files.find(kConfigFile))
    settings = json::parse(*text, settings_file);
  if (const std::string* text = files.find(kMapFile)) map = json::parse(*text, map_file);
  read_settings(json::require_object(settings, settings_file, "document"), settings_file, config);
  // Configurations with added_tokens_decoder are complete by themselves; in older ones the map is
  // the newer word.
  if (settings.contains("added_tokens_decoder")) read_specials(settings, settings_file, config);
  read_specials(json::require_object(map, map_file, "document"), map_file, config);
  read_specials(settings, settings_file, config);
  return config;
}

BpeSpec read_bpe_spec(const TokenizerFiles& files, std::vector<AddedToken>& added) {
  const std::string* vocabulary = files.find("vocab.json");
  const std::string* merges = files.find("merges.txt");
  if (!vocabulary || !merges) {
    if (files.find("tokenizer.json")) return read_bpe_json(files, added);
    throw Error(Code::kModelMismatch,
                format("%s: expected vocab.json and merges.txt, or tokenizer.json, found none",
                       excerpt(files.origin.empty() ? "tokenizer" : files.origin).c_str()));
  }
  BpeSpec spec;
  const std::string file = files.path_of("vocab.json");
  spec.vocabulary = read_vocabulary(json::parse(*vocabulary, file), file, "document");
  spec.merges = read_merges(*merges, files.path_of("merges.txt"));
  return spec;
}

}  // namespace octet
