#include "text/tokenizer_json.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "base/format.h"
#include "octet/error.h"
#include "text/unicode.h"

namespace octet {
namespace {

/// A token id: an integer in 0..kMaxTokenId.
std::int32_t require_id(const json::Value& value, const std::string& file, std::string_view field) {
  const bool valid = value.is_number_unsigned() &&
                     value.get<std::uint64_t>() <= static_cast<std::uint64_t>(kMaxTokenId);
  if (!valid) json::fail(file, field, format("a token id from 0 to %d", kMaxTokenId), &value);
  return value.get<std::int32_t>();
}

constexpr char kFile[] = "tokenizer.json";

[[noreturn]] void unsupported(const std::string& file, std::string_view field,
                              const std::string& expected, const std::string& found) {
  throw Error(Code::kUnsupported,
              format("%s: %s: expected %s, found %s", excerpt(file).c_str(),
                     std::string(field).c_str(), expected.c_str(), excerpt(found).c_str()));
}

std::string type_of(const json::Value& value, const std::string& file, std::string_view field) {
  const json::Value* type = json::find(value, "type", file);
  if (!type) json::fail(file, field, "an object with a type", &value);
  return json::require_string(*type, file, field);
}

/// The members of a "Sequence" under `key`, or the value itself as the only one.
std::vector<const json::Value*> steps_of(const json::Value& value, const char* key,
                                         const std::string& file, std::string_view field) {
  if (type_of(value, file, field) != "Sequence") return {&value};
  const json::Value* list = json::find(value, key, file);
  if (!list) json::fail(file, field, "a list of steps", nullptr);
  std::vector<const json::Value*> steps;
  for (const json::Value& step : json::require_array(*list, file, field)) {
    const auto inner = steps_of(step, key, file, field);  // depth is limited by json::parse
    steps.insert(steps.end(), inner.begin(), inner.end());
  }
  return steps;
}

std::string decode_base64(std::string_view text, const std::string& file, std::string_view field) {
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::array<int, 256> digit;
  digit.fill(-1);
  for (std::size_t i = 0; i < kAlphabet.size(); ++i) {
    digit[static_cast<unsigned char>(kAlphabet[i])] = static_cast<int>(i);
  }
  while (!text.empty() && text.back() == '=') text.remove_suffix(1);
  std::string out;
  out.reserve(text.size() / 4 * 3 + 3);
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const int value = digit[static_cast<unsigned char>(c)];
    if (value < 0) {
      throw Error(Code::kCorruptFile, format("%s: %s: expected base64, found byte 0x%02x",
                                             excerpt(file).c_str(), std::string(field).c_str(),
                                             static_cast<unsigned>(static_cast<unsigned char>(c))));
    }
    bits = (bits << 6 | static_cast<std::uint32_t>(value)) & 0xFFFFFFu;
    count += 6;
    if (count >= 8) {
      count -= 8;
      out.push_back(static_cast<char>(bits >> count & 0xFFu));
    }
  }
  return out;
}

bool take_suffix(std::u32string& text, std::u32string_view suffix) {
  if (text.size() < suffix.size() ||
      text.compare(text.size() - suffix.size(), suffix.size(), suffix) != 0) {
    return false;
  }
  text.resize(text.size() - suffix.size());
  return true;
}

/// The regular expressions that tokenizer files contain in practice: plain text, `x+`, `x{n,}`,
/// where x is one character or \s.
ReplacePattern parse_pattern(const std::string& source, const std::string& file) {
  const auto refuse = [&]() {
    unsupported(file, "normalizer", "a pattern of plain text, x+ or x{n,}", source);
  };
  ReplacePattern pattern;
  std::u32string rest = unicode::decode_utf8(source, file);
  bool repeats = take_suffix(rest, U"+");
  if (!repeats && rest.size() > 4 && rest.size() < 12 && take_suffix(rest, U",}")) {
    std::size_t digits = 0, scale = 1;
    pattern.minimum = 0;
    for (; !rest.empty() && rest.back() >= '0' && rest.back() <= '9' && digits < 4; ++digits) {
      pattern.minimum += scale * (rest.back() - U'0');
      scale *= 10;
      rest.pop_back();
    }
    repeats = take_suffix(rest, U"{") && digits > 0 && pattern.minimum > 0;
    if (!repeats) refuse();
  }
  if (rest == U"\\s") {
    pattern.any_whitespace = true;
    if (!repeats) refuse();
    return pattern;
  }
  if (rest.empty() || rest.find_first_of(U"\\^$.|?*+()[]{}") != std::u32string::npos) refuse();
  if (!repeats) {
    pattern.literal = rest;
  } else {
    if (rest.size() != 1) refuse();
    pattern.repeated = rest[0];
  }
  return pattern;
}

ReplacePattern read_pattern(const json::Value& step, const std::string& file) {
  const json::Value* pattern = json::find(step, "pattern", file);
  if (!pattern) json::fail(file, "normalizer pattern", "a pattern", nullptr);
  if (const json::Value* literal = json::find(*pattern, "String", file)) {
    ReplacePattern out;
    out.literal = unicode::decode_utf8(json::require_string(*literal, file, "pattern"), file);
    if (out.literal.empty()) json::fail(file, "normalizer pattern", "text", literal);
    return out;
  }
  const json::Value* regex = json::find(*pattern, "Regex", file);
  if (!regex) json::fail(file, "normalizer pattern", "String or Regex", pattern);
  return parse_pattern(json::require_string(*regex, file, "pattern"), file);
}

NormalizerStep read_normalizer_step(const json::Value& value, const std::string& file) {
  using Kind = NormalizerStep::Kind;
  NormalizerStep step;
  const std::string type = type_of(value, file, "normalizer");
  if (type == "Precompiled") {
    step.kind = Kind::kPrecompiled;
    step.charsmap = decode_base64(json::string_or(value, "precompiled_charsmap", "", file), file,
                                  "precompiled_charsmap");
  } else if (type == "Strip") {
    step.kind = Kind::kStrip;
    step.strip_left = json::bool_or(value, "strip_left", false, file);
    step.strip_right = json::bool_or(value, "strip_right", false, file);
  } else if (type == "Replace") {
    step.kind = Kind::kReplace;
    step.pattern = read_pattern(value, file);
    step.content = unicode::decode_utf8(json::string_or(value, "content", "", file), file);
  } else if (type == "Prepend") {
    step.kind = Kind::kPrepend;
    step.content = unicode::decode_utf8(json::string_or(value, "prepend", "", file), file);
  } else if (type == "NFC" || type == "NFD") {
    step.kind = type == "NFC" ? Kind::kNfc : Kind::kNfd;
  } else if (type == "Lowercase") {
    step.kind = Kind::kLowercase;
  } else {
    unsupported(file, "normalizer",
                "Sequence, Precompiled, Strip, Replace, Prepend, NFC, NFD or Lowercase", type);
  }
  return step;
}

PreTokenizerStep read_metaspace(const json::Value& value, const std::string& file) {
  using Prepend = PreTokenizerStep::Prepend;
  PreTokenizerStep step;
  const std::u32string replacement =
      unicode::decode_utf8(json::string_or(value, "replacement", "\u2581", file), file);
  if (replacement.size() != 1) {
    json::fail(file, "replacement", "one character", json::find(value, "replacement", file));
  }
  step.replacement = replacement[0];
  step.split = json::bool_or(value, "split", true, file);
  // Files from before prepend_scheme only say whether there is a blank at all.
  const bool adds = json::bool_or(value, "add_prefix_space", true, file);
  const std::string scheme =
      json::string_or(value, "prepend_scheme", adds ? "always" : "never", file);
  if (scheme != "always" && scheme != "first" && scheme != "never") {
    unsupported(file, "prepend_scheme", "always, first or never", scheme);
  }
  step.prepend = scheme == "always"  ? Prepend::kAlways
                 : scheme == "first" ? Prepend::kFirst
                                     : Prepend::kNever;
  return step;
}

PreTokenizerStep read_pre_tokenizer_step(const json::Value& value, const std::string& file) {
  const std::string type = type_of(value, file, "pre_tokenizer");
  if (type == "Metaspace") return read_metaspace(value, file);
  if (type != "WhitespaceSplit") {
    unsupported(file, "pre_tokenizer", "Sequence, Metaspace or WhitespaceSplit", type);
  }
  PreTokenizerStep step;
  step.kind = PreTokenizerStep::Kind::kWhitespaceSplit;
  return step;
}

/// ids of special token `name` of a TemplateProcessing.
std::vector<std::int32_t> template_ids(const json::Value& processor, const std::string& name,
                                       const std::string& file) {
  const json::Value* table = json::find(processor, "special_tokens", file);
  const json::Value* entry = table ? json::find(*table, name, file) : nullptr;
  const json::Value* ids = entry ? json::find(*entry, "ids", file) : nullptr;
  if (!ids) json::fail(file, "post_processor", "ids of special token " + excerpt(name), nullptr);
  std::vector<std::int32_t> out;
  for (const json::Value& id : json::require_array(*ids, file, "post_processor ids")) {
    out.push_back(require_id(id, file, "post_processor ids"));
  }
  return out;
}

void read_template(const json::Value& processor, const std::string& file,
                   UnigramTokenizerSpec& spec) {
  const json::Value* single = json::find(processor, "single", file);
  if (!single) json::fail(file, "post_processor single", "a list", nullptr);
  int sequences = 0;
  for (const json::Value& part : json::require_array(*single, file, "post_processor single")) {
    if (json::find(part, "Sequence", file)) {
      ++sequences;
      continue;
    }
    const json::Value* special = json::find(part, "SpecialToken", file);
    if (!special) json::fail(file, "post_processor single", "Sequence or SpecialToken", &part);
    const auto ids = template_ids(processor, json::string_or(*special, "id", "", file), file);
    auto& target = sequences == 0 ? spec.prefix : spec.suffix;
    target.insert(target.end(), ids.begin(), ids.end());
  }
  if (sequences != 1) json::fail(file, "post_processor single", "the text exactly once", single);
}

/// "sep" and "cls" of Bert- and RobertaProcessing: a pair of token and id.
std::int32_t pair_id(const json::Value& processor, const char* key, const std::string& file) {
  const json::Value* pair = json::find(processor, key, file);
  if (!pair || !pair->is_array() || pair->size() != 2) {
    json::fail(file, key, "a pair of token and id", pair);
  }
  return require_id((*pair)[1], file, key);
}

void read_post_processor(const json::Value& document, const std::string& file,
                         UnigramTokenizerSpec& spec) {
  const json::Value* processor = json::find(document, "post_processor", file);
  if (!processor) return;
  for (const json::Value* step : steps_of(*processor, "processors", file, "post_processor")) {
    const std::string type = type_of(*step, file, "post_processor");
    if (type == "TemplateProcessing") {
      read_template(*step, file, spec);
    } else if (type == "RobertaProcessing" || type == "BertProcessing") {
      spec.prefix.push_back(pair_id(*step, "cls", file));
      spec.suffix.push_back(pair_id(*step, "sep", file));
    } else if (type != "ByteLevel") {
      unsupported(file, "post_processor", "TemplateProcessing or RobertaProcessing", type);
    }
  }
}

std::vector<AddedToken> read_added_tokens(const json::Value& document, const std::string& file) {
  std::vector<AddedToken> tokens;
  const json::Value* list = json::find(document, "added_tokens", file);
  if (!list) return tokens;
  for (const json::Value& entry : json::require_array(*list, file, "added_tokens")) {
    tokens.push_back(read_added_token(entry, file, "added_tokens"));
    if (tokens.back().id < 0) json::fail(file, "added_tokens", "a token with an id", &entry);
  }
  return tokens;
}

UnigramSpec read_unigram_model(const json::Value& model, const std::string& file) {
  UnigramSpec spec;
  const json::Value* vocabulary = json::find(model, "vocab", file);
  if (!vocabulary) json::fail(file, "model.vocab", "a list of pieces", nullptr);
  json::require_array(*vocabulary, file, "model.vocab");
  if (vocabulary->size() > static_cast<std::size_t>(kMaxTokenId)) {
    json::fail(file, "model.vocab", format("at most %d pieces", kMaxTokenId), vocabulary);
  }
  spec.pieces.reserve(vocabulary->size());
  for (const json::Value& entry : *vocabulary) {
    const bool valid = entry.is_array() && entry.size() == 2 && entry[1].is_number();
    if (!valid) json::fail(file, "model.vocab", "pairs of piece and score", &entry);
    spec.pieces.emplace_back(json::require_string(entry[0], file, "model.vocab"),
                             entry[1].get<double>());
  }
  const json::Value* unk = json::find(model, "unk_id", file);
  if (!unk) json::fail(file, "model.unk_id", "a token id", nullptr);
  spec.unk_id = require_id(*unk, file, "model.unk_id");
  if (json::bool_or(model, "byte_fallback", false, file)) {
    unsupported(file, "model.byte_fallback", "false", "true");
  }
  return spec;
}

const json::Value& model_of(const json::Value& document, const std::string& file,
                            const std::string& type) {
  const json::Value* model = json::find(document, "model", file);
  if (!model) json::fail(file, "model", "an object", nullptr);
  // Old files leave the type out; their models are told apart by their members.
  const std::string found =
      json::string_or(*model, "type", json::find(*model, "merges", file) ? "BPE" : "Unigram", file);
  if (found != type) unsupported(file, "model.type", type, found);
  return *model;
}

std::vector<std::pair<std::string, std::string>> read_json_merges(const json::Value& model,
                                                                  const std::string& file) {
  const json::Value* list = json::find(model, "merges", file);
  if (!list) json::fail(file, "model.merges", "a list", nullptr);
  std::vector<std::pair<std::string, std::string>> merges;
  for (const json::Value& rule : json::require_array(*list, file, "model.merges")) {
    if (rule.is_array() && rule.size() == 2) {
      merges.emplace_back(json::require_string(rule[0], file, "model.merges"),
                          json::require_string(rule[1], file, "model.merges"));
    } else {
      merges.push_back(
          split_merge(json::require_string(rule, file, "model.merges"), file, merges.size() + 1));
    }
  }
  return merges;
}

/// Octet runs the CLIP pipeline for BPE models; a file that describes another one is refused.
void require_clip_pipeline(const json::Value& document, const json::Value& model,
                           const std::string& file) {
  for (const char* key : {"byte_fallback", "ignore_merges", "fuse_unk"}) {
    if (json::bool_or(model, key, false, file)) {
      unsupported(file, "model." + std::string(key), "false", "true");
    }
  }
  if (!json::string_or(model, "continuing_subword_prefix", "", file).empty()) {
    unsupported(file, "model.continuing_subword_prefix", "none", "one");
  }
  bool lower = false, bytes = false;
  if (const json::Value* normalizer = json::find(document, "normalizer", file)) {
    for (const json::Value* step : steps_of(*normalizer, "normalizers", file, "normalizer")) {
      lower = lower || type_of(*step, file, "normalizer") == "Lowercase";
    }
  }
  if (const json::Value* splitter = json::find(document, "pre_tokenizer", file)) {
    for (const json::Value* step : steps_of(*splitter, "pretokenizers", file, "pre_tokenizer")) {
      bytes = bytes || type_of(*step, file, "pre_tokenizer") == "ByteLevel";
    }
  }
  if (!lower) unsupported(file, "normalizer", "the one of CLIP, with Lowercase", "another");
  if (!bytes) unsupported(file, "pre_tokenizer", "the one of CLIP, with ByteLevel", "another");
}

}  // namespace

AddedToken read_added_token(const json::Value& value, const std::string& file,
                            std::string_view field) {
  AddedToken token;
  token.content = json::string_or(json::require_object(value, file, field), "content", "", file);
  if (token.content.empty() || token.content.size() > kMaxTokenBytes) {
    json::fail(file, field, format("content of 1 to %zu bytes", kMaxTokenBytes), &value);
  }
  if (const json::Value* id = json::find(value, "id", file)) {
    token.id = require_id(*id, file, field);
  }
  token.single_word = json::bool_or(value, "single_word", false, file);
  token.lstrip = json::bool_or(value, "lstrip", false, file);
  token.rstrip = json::bool_or(value, "rstrip", false, file);
  token.normalized = json::bool_or(value, "normalized", false, file);
  return token;
}

Vocabulary read_vocabulary(const json::Value& value, const std::string& file,
                           std::string_view field) {
  Vocabulary vocabulary;
  json::require_object(value, file, field);
  vocabulary.reserve(value.size());
  for (const auto& [token, id] : value.items()) {
    vocabulary.emplace(token, require_id(id, file, field));
  }
  return vocabulary;
}

std::pair<std::string, std::string> split_merge(std::string_view rule, const std::string& file,
                                                std::size_t number) {
  const std::size_t blank = rule.find(' ');
  const bool valid = blank != std::string_view::npos && blank > 0 && blank + 1 < rule.size() &&
                     rule.find(' ', blank + 1) == std::string_view::npos;
  if (!valid) {
    throw Error(Code::kCorruptFile,
                format("%s: merge rule %zu: expected two symbols, found %s", excerpt(file).c_str(),
                       number, excerpt(std::string(rule)).c_str()));
  }
  return {std::string(rule.substr(0, blank)), std::string(rule.substr(blank + 1))};
}

BpeSpec read_bpe_json(const TokenizerFiles& files, std::vector<AddedToken>& added) {
  const std::string file = files.path_of(kFile);
  const json::Value document = json::parse(*files.find(kFile), file);
  const json::Value& model = model_of(document, file, "BPE");
  require_clip_pipeline(document, model, file);
  BpeSpec spec;
  const json::Value* vocabulary = json::find(model, "vocab", file);
  if (!vocabulary) json::fail(file, "model.vocab", "an object", nullptr);
  spec.vocabulary = read_vocabulary(*vocabulary, file, "model.vocab");
  spec.merges = read_json_merges(model, file);
  spec.suffix = json::string_or(model, "end_of_word_suffix", "", file);
  const auto tokens = read_added_tokens(document, file);
  added.insert(added.end(), tokens.begin(), tokens.end());
  return spec;
}

UnigramTokenizerSpec read_unigram_json(const TokenizerFiles& files) {
  const std::string file = files.path_of(kFile);
  const std::string* text = files.find(kFile);
  if (!text) {
    throw Error(Code::kModelMismatch, format("%s: expected a file, found none", file.c_str()));
  }
  const json::Value document = json::parse(*text, file);
  UnigramTokenizerSpec spec;
  spec.model = read_unigram_model(model_of(document, file, "Unigram"), file);
  spec.added = read_added_tokens(document, file);
  if (const json::Value* normalizer = json::find(document, "normalizer", file)) {
    for (const json::Value* step : steps_of(*normalizer, "normalizers", file, "normalizer")) {
      spec.normalizer.push_back(read_normalizer_step(*step, file));
    }
  }
  if (const json::Value* splitter = json::find(document, "pre_tokenizer", file)) {
    for (const json::Value* step : steps_of(*splitter, "pretokenizers", file, "pre_tokenizer")) {
      spec.pre_tokenizer.push_back(read_pre_tokenizer_step(*step, file));
    }
  }
  read_post_processor(document, file, spec);
  return spec;
}

}  // namespace octet
