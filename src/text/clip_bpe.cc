#include "text/clip_bpe.h"

#include <algorithm>
#include <optional>
#include <span>
#include <unordered_map>
#include <utility>

#include "base/format.h"
#include "octet/error.h"
#include "text/added_tokens.h"
#include "text/bpe.h"
#include "text/token_row.h"
#include "text/tokenizer_spec.h"
#include "text/unicode.h"

namespace octet {
namespace {

constexpr int kClipLength = 77;

void normalize(TextSection& section) {
  const std::u32string composed = unicode::nfc(section.text);
  std::u32string collapsed;
  collapsed.reserve(composed.size());
  for (const char32_t code : composed) {
    const bool blank = unicode::is_whitespace(code);
    if (!blank) collapsed.push_back(code);
    if (blank && (collapsed.empty() || collapsed.back() != U' ')) collapsed.push_back(U' ');
  }
  section.text = unicode::lower(collapsed);
}

/// Length of the contraction at the start of `text`, 0 for none.
std::size_t contraction_length(std::u32string_view text) {
  for (const std::u32string_view ending : {U"'s", U"'t", U"'re", U"'ve", U"'m", U"'ll", U"'d"}) {
    if (text.substr(0, ending.size()) == ending) return ending.size();
  }
  return 0;
}

enum class Kind { kBlank, kLetter, kNumber, kOther };

Kind kind_of(char32_t code) {
  if (unicode::is_letter(code)) return Kind::kLetter;
  if (unicode::is_whitespace(code)) return Kind::kBlank;
  return unicode::is_number(code) ? Kind::kNumber : Kind::kOther;
}

/// Length of the word (or the blank) at the start of non-empty `text`.
std::size_t word_length(std::u32string_view text, Kind kind) {
  if (kind == Kind::kBlank || kind == Kind::kNumber) return 1;
  if (const std::size_t length = contraction_length(text)) return length;
  std::size_t length = 1;
  while (length < text.size() && kind_of(text[length]) == kind) ++length;
  return length;
}

}  // namespace

struct ClipTokenizer::Tables {
  BpeModel model;
  AddedVocabulary added, added_without_pad;
  Vocabulary vocabulary;               // for messages
  std::vector<AddedToken> added_list;  // for messages
  std::int32_t bos = -1, eos = -1, pad = -1, vocab_size = 0;
  int max_length = kClipLength;

  [[nodiscard]] std::vector<std::int32_t> encode(std::u32string_view prompt, bool match_pad) const;
  [[nodiscard]] std::string decode(std::span<const std::int32_t> ids) const;
  [[nodiscard]] RowSpec row_spec(const TokenizeOptions& options) const;
};

namespace {

/// Everything load() collects before the tables are final.
struct Loading {
  BpeSpec spec;
  TokenizerConfig config;
  std::vector<AddedToken> added;
  std::string file;  // for messages

  /// Registers a special token and gives its id; `fallback` is its name when not configured.
  std::int32_t special_id(const std::optional<SpecialToken>& token, const char* role,
                          const std::string& fallback);
};

std::int32_t Loading::special_id(const std::optional<SpecialToken>& token, const char* role,
                                 const std::string& fallback) {
  const std::string content = token ? token->content : fallback;
  const auto known = std::find_if(added.begin(), added.end(),
                                  [&](const AddedToken& each) { return each.content == content; });
  if (known != added.end()) return known->id;
  const auto found = spec.vocabulary.find(content);
  if (found == spec.vocabulary.end()) {
    throw Error(Code::kCorruptFile, format("%s: %s: expected a token of the vocabulary, found %s",
                                           excerpt(file).c_str(), role, excerpt(content).c_str()));
  }
  AddedToken entry = token && token->explicit_flags ? token->flags : AddedToken{};
  entry.content = content;
  entry.id = found->second;
  added.push_back(entry);
  return entry.id;
}

}  // namespace

ClipTokenizer ClipTokenizer::load(const TokenizerFiles& files) {
  Loading loading;
  loading.file = files.path_of(files.find("vocab.json") ? "vocab.json" : "tokenizer.json");
  loading.config = read_tokenizer_config(files);
  loading.spec = read_bpe_spec(files, loading.added);
  const TokenizerConfig& config = loading.config;
  for (AddedToken token : config.added) {
    const auto known = loading.spec.vocabulary.find(token.content);
    if (known != loading.spec.vocabulary.end())
      token.id = known->second;  // the model's word counts
    loading.added.push_back(std::move(token));
  }

  auto tables = std::make_shared<Tables>();
  const std::string end = config.eos ? config.eos->content : "<|endoftext|>";
  tables->bos = loading.special_id(config.bos, "bos_token", "<|startoftext|>");
  tables->eos = loading.special_id(config.eos, "eos_token", end);
  tables->pad = loading.special_id(config.pad, "pad_token", end);
  const std::int32_t unk = loading.special_id(config.unk, "unk_token", end);
  const char* const rules = files.find("vocab.json") ? "merges.txt" : "tokenizer.json";
  tables->model = BpeModel(loading.spec, unk, files.path_of(rules));
  tables->max_length = config.model_max_length.value_or(kClipLength);

  tables->added = AddedVocabulary(loading.added, normalize);
  const bool shared =
      tables->pad == tables->bos || tables->pad == tables->eos || tables->pad == unk;
  std::vector<AddedToken> others;
  for (const AddedToken& token : loading.added) {
    if (shared || token.id != tables->pad) others.push_back(token);
  }
  tables->added_without_pad = AddedVocabulary(others, normalize);

  for (const auto& [token, id] : loading.spec.vocabulary) {
    tables->vocab_size = std::max(tables->vocab_size, id + 1);
  }
  for (const AddedToken& token : loading.added) {
    tables->vocab_size = std::max(tables->vocab_size, token.id + 1);
  }
  tables->vocabulary = std::move(loading.spec.vocabulary);
  tables->added_list = std::move(loading.added);
  return ClipTokenizer(std::move(tables));
}

std::vector<std::int32_t> ClipTokenizer::Tables::encode(std::u32string_view prompt,
                                                        bool match_pad) const {
  std::vector<std::int32_t> ids;
  std::string bytes;
  const auto on_text = [&](TextSection&& section) {
    std::u32string_view rest = section.text;
    while (!rest.empty()) {
      const Kind kind = kind_of(rest[0]);
      const std::size_t length = word_length(rest, kind);
      if (kind != Kind::kBlank) {
        bytes.clear();
        for (const char32_t code : rest.substr(0, length)) unicode::append_utf8(bytes, code);
        model.encode_word(bytes, ids);
      }
      rest.remove_prefix(length);
    }
  };
  const AddedVocabulary& literals = match_pad ? added : added_without_pad;
  literals.visit(
      prompt, [&](std::int32_t id) { ids.push_back(id); }, on_text);
  return ids;
}

std::string ClipTokenizer::Tables::decode(std::span<const std::int32_t> ids) const {
  // The way back is needed for truncated prompts only, so no table is kept for it.
  std::unordered_map<std::int32_t, std::string> tokens;
  for (const std::int32_t id : ids) tokens.try_emplace(id);
  for (const auto& [token, id] : vocabulary) {
    const auto wanted = tokens.find(id);
    if (wanted != tokens.end()) wanted->second = model.decode_token(token);
  }
  for (const AddedToken& token : added_list) {
    const auto wanted = tokens.find(token.id);
    if (wanted != tokens.end()) wanted->second = token.content;
  }
  std::string text;
  for (const std::int32_t id : ids) text += tokens[id];
  while (!text.empty() && text.back() == ' ') text.pop_back();
  return text;
}

RowSpec ClipTokenizer::Tables::row_spec(const TokenizeOptions& options) const {
  RowSpec spec;
  spec.prefix = {&bos, 1};
  spec.suffix = {&eos, 1};
  spec.length = options.length > 0 ? options.length : max_length;
  spec.pad_id = options.pad_id >= 0 ? options.pad_id : pad;
  spec.truncate = options.truncate;
  return spec;
}

std::vector<std::int32_t> ClipTokenizer::encode(std::string_view text,
                                                const TokenizeOptions& options) const {
  std::u32string cut;
  return tables_->encode(decode_prompt(text, options, cut), options.match_pad);
}

Tokens ClipTokenizer::tokenize(std::string_view text, const TokenizeOptions& options) const {
  std::u32string cut;
  const auto ids = tables_->encode(decode_prompt(text, options, cut), options.match_pad);
  const auto decode = [this](std::span<const std::int32_t> part) { return tables_->decode(part); };
  Tokens row = make_row(tables_->row_spec(options), ids, decode);
  note_cut(cut, row);
  return row;
}

std::vector<Tokens> ClipTokenizer::tokenize_chunks(std::string_view text,
                                                   const TokenizeOptions& options) const {
  std::u32string cut;
  const auto ids = tables_->encode(decode_prompt(text, options, cut), options.match_pad);
  const RowSpec spec = tables_->row_spec(options);
  if (spec.length < 3) {
    throw Error(Code::kInvalidArgument,
                format("token length: expected at least 3, found %d", spec.length));
  }
  const std::size_t room = static_cast<std::size_t>(spec.length) - 2;
  std::vector<Tokens> rows;
  std::span<const std::int32_t> rest = ids;
  do {
    const std::size_t count = std::min(room, rest.size());
    rows.push_back(make_row(spec, rest.first(count), {}));
    rest = rest.subspan(count);
  } while (!rest.empty());
  note_cut(cut, rows.back());
  return rows;
}

std::int32_t ClipTokenizer::bos_id() const { return tables_->bos; }
std::int32_t ClipTokenizer::eos_id() const { return tables_->eos; }
std::int32_t ClipTokenizer::pad_id() const { return tables_->pad; }
int ClipTokenizer::model_max_length() const { return tables_->max_length; }
std::int32_t ClipTokenizer::vocab_size() const { return tables_->vocab_size; }

}  // namespace octet
