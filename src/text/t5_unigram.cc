#include "text/t5_unigram.h"

#include <algorithm>
#include <optional>
#include <span>
#include <unordered_map>
#include <utility>

#include "base/format.h"
#include "octet/error.h"
#include "text/added_tokens.h"
#include "text/spiece_model.h"
#include "text/text_pipeline.h"
#include "text/token_row.h"
#include "text/tokenizer_spec.h"
#include "text/unicode.h"
#include "text/unigram.h"

namespace octet {
namespace {

constexpr char32_t kMetaspace = U'\u2581';

/// The pipeline of the Hugging Face conversion of SentencePiece models.
void add_spiece_pipeline(const SpieceModel& model, const TokenizerConfig& config,
                         UnigramTokenizerSpec& spec) {
  NormalizerStep map, strip, collapse;
  map.kind = NormalizerStep::Kind::kPrecompiled;
  map.charsmap = model.charsmap;
  strip.kind = NormalizerStep::Kind::kStrip;
  strip.strip_right = true;
  collapse.kind = NormalizerStep::Kind::kReplace;
  collapse.pattern.repeated = U' ';
  collapse.pattern.minimum = 2;
  collapse.content = kMetaspace;
  spec.normalizer = {map, strip, collapse};

  PreTokenizerStep words;
  words.replacement = kMetaspace;
  const bool first_only = config.legacy.has_value() && !*config.legacy;
  words.prepend = !model.add_dummy_prefix ? PreTokenizerStep::Prepend::kNever
                  : first_only            ? PreTokenizerStep::Prepend::kFirst
                                          : PreTokenizerStep::Prepend::kAlways;
  spec.pre_tokenizer = {words};
}

UnigramTokenizerSpec from_spiece(const SpieceModel& model, const TokenizerConfig& config,
                                 const std::string& file) {
  if (!model.escape_whitespaces) {
    throw Error(Code::kUnsupported, format("%s: escape_whitespaces: expected true, found false",
                                           excerpt(file).c_str()));
  }
  UnigramTokenizerSpec spec;
  spec.model.unk_id = model.unk_id;
  const auto add = [&](const std::string& piece, double score, bool literal) {
    if (literal) {
      AddedToken token;
      token.content = piece;
      token.id = static_cast<std::int32_t>(spec.model.pieces.size());
      spec.added.push_back(token);
    }
    spec.model.pieces.emplace_back(piece, score);
  };
  for (const SpiecePiece& piece : model.pieces) {
    add(piece.text, static_cast<double>(piece.score),
        piece.type == SpiecePiece::Type::kControl || piece.type == SpiecePiece::Type::kUserDefined);
  }
  for (int i = config.extra_ids - 1; i >= 0; --i) add(format("<extra_id_%d>", i), 0.0, true);
  add_spiece_pipeline(model, config, spec);
  return spec;
}

}  // namespace

struct T5Tokenizer::Tables {
  UnigramModel model;
  TextNormalizer normalizer;
  PreTokenizer pre_tokenizer;
  AddedVocabulary added;
  std::unordered_map<std::int32_t, std::string> added_text;  // id -> token
  std::vector<std::int32_t> prefix, suffix;
  std::int32_t eos = -1, pad = -1, unk = -1, vocab_size = 0;
  int max_length = 0;

  [[nodiscard]] std::vector<std::int32_t> encode(std::u32string_view prompt) const;
  [[nodiscard]] std::string decode(std::span<const std::int32_t> ids) const;
};

namespace {

/// Id of a special token, registered as an added token when it is not one yet.
std::int32_t special_id(const std::optional<SpecialToken>& token, const std::string& fallback,
                        const UnigramModel& model, std::vector<AddedToken>& added) {
  AddedToken entry = token && token->explicit_flags ? token->flags : AddedToken{};
  entry.content = token ? token->content : fallback;
  for (const AddedToken& known : added) {
    if (known.content == entry.content) return known.id;
  }
  entry.id = model.find(entry.content);
  if (entry.id >= 0) added.push_back(entry);
  return entry.id;
}

[[noreturn]] void missing_token(const std::string& file, const char* role) {
  throw Error(Code::kCorruptFile, format("%s: %s: expected a token of the vocabulary, found none",
                                         excerpt(file).c_str(), role));
}

}  // namespace

T5Tokenizer T5Tokenizer::load(const TokenizerFiles& files) {
  const TokenizerConfig config = read_tokenizer_config(files);
  const bool described = files.find("tokenizer.json") != nullptr;
  const std::string file = files.path_of(described ? "tokenizer.json" : "spiece.model");
  const std::string* spiece = files.find("spiece.model");
  if (!described && !spiece) {
    throw Error(Code::kModelMismatch,
                format("%s: expected tokenizer.json or spiece.model, found none",
                       excerpt(files.origin.empty() ? "tokenizer" : files.origin).c_str()));
  }
  UnigramTokenizerSpec spec = described
                                  ? read_unigram_json(files)
                                  : from_spiece(read_spiece_model(*spiece, file), config, file);
  auto tables = std::make_shared<Tables>();
  tables->unk = spec.model.unk_id;
  tables->model = UnigramModel(std::move(spec.model), file);
  tables->normalizer = TextNormalizer(spec.normalizer, file);
  tables->pre_tokenizer = PreTokenizer(spec.pre_tokenizer);

  std::vector<AddedToken>& added = spec.added;
  for (AddedToken token : config.added) {
    const std::int32_t known = tables->model.find(token.content);
    if (known >= 0) token.id = known;  // the model's word counts
    added.push_back(std::move(token));
  }
  tables->eos = special_id(config.eos, "</s>", tables->model, added);
  tables->pad = special_id(config.pad, "<pad>", tables->model, added);
  (void)special_id(config.unk, "<unk>", tables->model, added);
  if (tables->eos < 0) missing_token(file, "eos_token");
  if (tables->pad < 0) missing_token(file, "pad_token");
  tables->prefix = spec.prefix;
  tables->suffix = described ? spec.suffix : std::vector<std::int32_t>{tables->eos};
  const TextNormalizer& normalizer = tables->normalizer;
  tables->added = AddedVocabulary(added, [normalizer](TextSection& s) { normalizer.apply(s); });
  tables->vocab_size = tables->model.size();
  for (const AddedToken& token : added) {
    tables->added_text.emplace(token.id, token.content);
    tables->vocab_size = std::max(tables->vocab_size, token.id + 1);
  }
  for (const auto& ids : {tables->prefix, tables->suffix}) {
    for (const std::int32_t id : ids) tables->vocab_size = std::max(tables->vocab_size, id + 1);
  }
  tables->max_length = config.model_max_length.value_or(0);
  return T5Tokenizer(std::move(tables));
}

std::vector<std::int32_t> T5Tokenizer::Tables::encode(std::u32string_view prompt) const {
  std::vector<std::int32_t> ids;
  const auto on_text = [&](TextSection&& section) {
    for (const TextSection& word : pre_tokenizer.split(std::move(section))) {
      model.encode_word(unicode::encode_utf8(word.text), ids);
    }
  };
  added.visit(
      prompt, [&](std::int32_t id) { ids.push_back(id); }, on_text);
  return ids;
}

std::string T5Tokenizer::Tables::decode(std::span<const std::int32_t> ids) const {
  std::u32string text;
  for (const std::int32_t id : ids) {
    const auto found = added_text.find(id);
    if (found != added_text.end()) {
      text += unicode::decode_utf8(found->second, "token");
    } else if (id < model.size()) {
      text += unicode::decode_utf8(model.piece(id), "token");
    }
  }
  std::replace(text.begin(), text.end(), kMetaspace, U' ');
  const std::size_t begin = std::min(text.find_first_not_of(U' '), text.size());
  return unicode::encode_utf8(std::u32string_view(text).substr(begin));
}

std::vector<std::int32_t> T5Tokenizer::encode(std::string_view text,
                                              const TokenizeOptions& options) const {
  std::u32string cut;
  return tables_->encode(decode_prompt(text, options, cut));
}

Tokens T5Tokenizer::tokenize(std::string_view text, const TokenizeOptions& options) const {
  std::u32string cut;
  const auto ids = tables_->encode(decode_prompt(text, options, cut));
  RowSpec spec;
  spec.prefix = tables_->prefix;
  spec.suffix = tables_->suffix;
  spec.length = options.length > 0 ? options.length : tables_->max_length;
  spec.pad_id = options.pad_id >= 0 ? options.pad_id : tables_->pad;
  spec.truncate = options.truncate;
  Tokens row = make_row(
      spec, ids, [this](std::span<const std::int32_t> part) { return tables_->decode(part); });
  note_cut(cut, row);
  return row;
}

std::int32_t T5Tokenizer::eos_id() const { return tables_->eos; }
std::int32_t T5Tokenizer::pad_id() const { return tables_->pad; }
std::int32_t T5Tokenizer::unk_id() const { return tables_->unk; }
int T5Tokenizer::model_max_length() const { return tables_->max_length; }
std::int32_t T5Tokenizer::vocab_size() const { return tables_->vocab_size; }

}  // namespace octet
