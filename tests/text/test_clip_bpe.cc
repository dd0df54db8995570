#include <chrono>
#include <nlohmann/json.hpp>
#include <random>

#include "fixtures.h"
#include "text/bpe.h"
#include "text/clip_bpe.h"

namespace octet {
namespace {

using Ids = std::vector<std::int32_t>;

double seconds_of(const std::function<void()>& action) {
  const auto begin = std::chrono::steady_clock::now();
  action();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

TEST(ClipTokenizer, PadsToTheModelLength) {
  const ClipTokenizer tokenizer = ClipTokenizer::load(clip_files());
  const Tokens row = tokenizer.tokenize("a red apple");
  const Ids text = tokenizer.encode("a red apple");
  ASSERT_EQ(row.ids.size(), 77u);
  EXPECT_EQ(row.used, static_cast<int>(text.size()) + 2);
  EXPECT_FALSE(row.truncated);
  EXPECT_EQ(row.dropped, "");
  EXPECT_EQ(row.ids[0], tokenizer.bos_id());
  EXPECT_EQ(Ids(row.ids.begin() + 1, row.ids.begin() + 1 + static_cast<int>(text.size())), text);
  for (std::size_t i = text.size() + 1; i < 77; ++i) EXPECT_EQ(row.ids[i], tokenizer.eos_id());
  EXPECT_EQ(tokenizer.eos_id() + 1, tokenizer.vocab_size());
}

TEST(ClipTokenizer, PadIdComesFromTheConfigurationOrTheOptions) {
  const ClipTokenizer tokenizer = ClipTokenizer::load(clip_bang_files());
  EXPECT_NE(tokenizer.pad_id(), tokenizer.eos_id());
  EXPECT_EQ(tokenizer.tokenize("x").ids.back(), tokenizer.pad_id());
  TokenizeOptions options;
  options.pad_id = 5;
  options.length = 10;
  const Tokens row = tokenizer.tokenize("", options);
  EXPECT_EQ(row.ids, (Ids{tokenizer.bos_id(), tokenizer.eos_id(), 5, 5, 5, 5, 5, 5, 5, 5}));
}

TEST(ClipTokenizer, TruncationKeepsEosAndTellsWhatWent) {
  const ClipTokenizer tokenizer = ClipTokenizer::load(clip_files());
  std::string prompt = "a red apple";
  for (int i = 0; i < 80; ++i) prompt += " 7";
  prompt += " Caf\u00e9!";
  const Tokens row = tokenizer.tokenize(prompt);
  const Ids all = tokenizer.encode(prompt);
  ASSERT_EQ(row.ids.size(), 77u);
  EXPECT_EQ(row.used, 77);
  EXPECT_TRUE(row.truncated);
  EXPECT_EQ(row.ids.back(), tokenizer.eos_id());
  EXPECT_TRUE(std::equal(row.ids.begin() + 1, row.ids.end() - 1, all.begin()));
  EXPECT_EQ(row.dropped.substr(0, 4), "7 7 ");
  EXPECT_EQ(row.dropped.substr(row.dropped.size() - 7), "caf\u00e9 !");
}

TEST(ClipTokenizer, ExactlyFullIsNotTruncated) {
  const ClipTokenizer tokenizer = ClipTokenizer::load(clip_files());
  const Tokens full = tokenizer.tokenize(std::string(75, '5'));
  EXPECT_FALSE(full.truncated);
  EXPECT_EQ(full.used, 77);
  EXPECT_TRUE(tokenizer.tokenize(std::string(76, '5')).truncated);
}

TEST(ClipTokenizer, ChunksHoldTheWholeText) {
  const ClipTokenizer tokenizer = ClipTokenizer::load(clip_files());
  EXPECT_EQ(tokenizer.tokenize_chunks("").size(), 1u);
  EXPECT_EQ(tokenizer.tokenize_chunks(std::string(75, '5')).size(), 1u);
  const auto rows = tokenizer.tokenize_chunks(std::string(170, '5'));
  ASSERT_EQ(rows.size(), 3u);
  for (const Tokens& row : rows) {
    EXPECT_EQ(row.ids.size(), 77u);
    EXPECT_FALSE(row.truncated);
  }
  EXPECT_EQ(rows[2].used, 22);
  EXPECT_EQ(rows[0].ids, tokenizer.tokenize(std::string(170, '5')).ids);
}

TEST(ClipTokenizer, RunsWithoutConfiguration) {
  const ClipTokenizer tokenizer =
      ClipTokenizer::load(fixture_files({"clip/vocab.json", "clip/merges.txt"}));
  const ClipTokenizer configured = ClipTokenizer::load(clip_files());
  EXPECT_EQ(tokenizer.model_max_length(), 77);
  EXPECT_EQ(tokenizer.tokenize("It's a CAT").ids, configured.tokenize("It's a CAT").ids);
}

TEST(ClipTokenizer, SpecialTokensMapNamesThePad) {
  TokenizerFiles files = fixture_files({"clip/vocab.json", "clip/merges.txt"});
  files.contents["special_tokens_map.json"] = R"({"pad_token": "!", "eos_token":
      {"content": "<|endoftext|>", "lstrip": false, "normalized": true, "rstrip": false}})";
  files.contents["tokenizer_config.json"] = R"({"pad_token": "?", "model_max_length": 1e30})";
  const ClipTokenizer tokenizer = ClipTokenizer::load(files);
  const ClipTokenizer bang = ClipTokenizer::load(clip_bang_files());
  EXPECT_EQ(tokenizer.pad_id(), bang.pad_id());
  EXPECT_EQ(tokenizer.encode("! !!"), (Ids(3, bang.pad_id())));
  // eos is looked for in the lower-cased text, bos (by its bare name) only as it is written.
  EXPECT_EQ(tokenizer.encode("<|ENDOFTEXT|>"), Ids{bang.eos_id()});
  EXPECT_GT(tokenizer.encode("<|STARTOFTEXT|>").size(), 1u);
  EXPECT_EQ(tokenizer.encode("<|startoftext|>"), Ids{bang.bos_id()});
}

TEST(ClipTokenizer, TokenizerJsonGivesTheSameIds) {
  nlohmann::json document;
  document["model"] = {
      {"type", "BPE"}, {"end_of_word_suffix", "</w>"}, {"unk_token", "<|endoftext|>"}};
  document["model"]["vocab"] = nlohmann::json::parse(read_fixture("clip/vocab.json"));
  std::istringstream lines(read_fixture("clip/merges.txt"));
  std::string line;
  std::getline(lines, line);
  auto& merges = document["model"]["merges"] = nlohmann::json::array();
  while (std::getline(lines, line)) {
    const auto blank = line.find(' ');
    if (merges.size() % 2 == 0)
      merges.push_back(line);  // both spellings
    else
      merges.push_back({line.substr(0, blank), line.substr(blank + 1)});
  }
  document["normalizer"] = {{"type", "Sequence"},
                            {"normalizers", {{{"type", "NFC"}}, {{"type", "Lowercase"}}}}};
  document["pre_tokenizer"] = {{"type", "ByteLevel"}};
  TokenizerFiles files;
  files.contents["tokenizer.json"] = document.dump();
  const ClipTokenizer tokenizer = ClipTokenizer::load(files);
  const ClipTokenizer other = ClipTokenizer::load(clip_files());
  for (const char* text : {"a painting of the sunflower", "isn't it? !!", "\u8d64\u3044\u6708"}) {
    EXPECT_EQ(tokenizer.tokenize(text).ids, other.tokenize(text).ids) << text;
  }
  document["normalizer"] = {{"type", "NFC"}};
  files.contents["tokenizer.json"] = document.dump();
  EXPECT_EQ(error_of([&] { (void)ClipTokenizer::load(files); }).code(), Code::kUnsupported);
}

TEST(ClipTokenizer, BadPrompts) {
  const ClipTokenizer tokenizer = ClipTokenizer::load(clip_files());
  TokenizeOptions options;
  options.field = "negative prompt";
  const Error error = error_of([&] { (void)tokenizer.tokenize("ab\xC3(", options); });
  EXPECT_EQ(error.code(), Code::kInvalidArgument);
  EXPECT_NE(std::string(error.what()).find("negative prompt"), std::string::npos);
  EXPECT_NE(std::string(error.what()).find("offset 2"), std::string::npos);
  options.length = 1;
  EXPECT_EQ(error_of([&] { (void)tokenizer.tokenize("a", options); }).code(),
            Code::kInvalidArgument);
  EXPECT_EQ(error_of([&] { (void)tokenizer.tokenize_chunks("a", options); }).code(),
            Code::kInvalidArgument);
}

TEST(ClipTokenizer, CharacterLimitCutsCodePoints) {
  const ClipTokenizer tokenizer = ClipTokenizer::load(clip_files());
  TokenizeOptions options;
  options.max_characters = 3;
  const Tokens row = tokenizer.tokenize("\u00e9\u00e9\u00e9\u00e8 x", options);
  EXPECT_EQ(row.ids, tokenizer.tokenize("\u00e9\u00e9\u00e9").ids);
  EXPECT_TRUE(row.truncated);
  EXPECT_EQ(row.dropped, "\u00e8 x");
}

// The slow but obvious way to apply merge rules.
Ids merge_naively(const BpeSpec& spec, const std::string& word) {
  std::vector<std::string> symbols;
  for (const char c : word) symbols.emplace_back(1, c);
  symbols.back() += spec.suffix;
  for (bool again = true; again;) {
    again = false;
    for (const auto& [left, right] : spec.merges) {
      for (std::size_t i = 0; i + 1 < symbols.size() && !again; ++i) {
        if (symbols[i] != left || symbols[i + 1] != right) continue;
        symbols[i] += symbols[i + 1];
        symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(i) + 1);
        again = true;
      }
      if (again) break;
    }
  }
  Ids ids;
  for (const std::string& symbol : symbols) ids.push_back(spec.vocabulary.at(symbol));
  return ids;
}

TEST(BpeModel, EqualsTheNaiveAlgorithmOnRandomRules) {
  std::mt19937 random(7);
  for (int round = 0; round < 60; ++round) {
    BpeSpec spec;
    std::vector<std::string> tokens{"a", "b", "c", "a</w>", "b</w>", "c</w>"};
    for (int rule = 0; rule < 25; ++rule) {
      const std::string left = tokens[random() % tokens.size()];
      const std::string right = tokens[random() % tokens.size()];
      if (left.find('<') != std::string::npos || left.size() + right.size() > 16) continue;
      spec.merges.emplace_back(left, right);
      tokens.push_back(left + right);
    }
    for (const std::string& token : tokens) {
      spec.vocabulary.emplace(token, static_cast<std::int32_t>(spec.vocabulary.size()));
    }
    std::vector<std::pair<std::string, std::string>> unique;  // a repeated rule counts where last
    for (auto rule = spec.merges.rbegin(); rule != spec.merges.rend(); ++rule) {
      if (std::find(unique.begin(), unique.end(), *rule) == unique.end()) unique.push_back(*rule);
    }
    std::reverse(unique.begin(), unique.end());
    const BpeModel model(spec, -1, "test");
    spec.merges = unique;
    for (int word_index = 0; word_index < 40; ++word_index) {
      std::string word;
      for (std::size_t length = 1 + random() % 24; length > 0; --length)
        word += "abc"[random() % 3];
      Ids ids;
      model.encode_word(word, ids);
      EXPECT_EQ(ids, merge_naively(spec, word)) << word;
    }
  }
}

TEST(ClipTokenizer, MegabytePromptsTakeLinearTime) {
  const ClipTokenizer tokenizer = ClipTokenizer::load(clip_bang_files());
  const std::size_t megabyte = std::size_t{1} << 20;
  std::string words, marks = "a";
  while (words.size() < megabyte) words += "a red apple on a blue background, ";
  while (marks.size() < megabyte) marks += "\u0301\u0323";
  for (const std::string& prompt :
       {words, std::string(megabyte, 'x'), std::string(megabyte, '!'), std::string(megabyte, ' '),
        std::string(megabyte, '-'), std::string(megabyte, '<'), marks}) {
    const double seconds = seconds_of([&] {
      const Tokens row = tokenizer.tokenize(prompt);
      EXPECT_EQ(row.ids.size(), 77u);
    });
    EXPECT_LT(seconds, 15.0) << prompt.substr(0, 40);
  }
}

}  // namespace
}  // namespace octet
