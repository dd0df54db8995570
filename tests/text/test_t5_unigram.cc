#include <chrono>
#include <nlohmann/json.hpp>
#include <random>

#include "fixtures.h"
#include "text/t5_unigram.h"
#include "text/unigram.h"

namespace octet {
namespace {

using Ids = std::vector<std::int32_t>;

TEST(T5Tokenizer, PadsAndCutsToALength) {
  const T5Tokenizer tokenizer = T5Tokenizer::load(t5_files());
  TokenizeOptions options;
  options.length = 12;
  const Tokens padded = tokenizer.tokenize("a cat", options);
  ASSERT_EQ(padded.ids.size(), 12u);
  const Ids text = tokenizer.encode("a cat");
  EXPECT_EQ(padded.used, static_cast<int>(text.size()) + 1);
  EXPECT_EQ(padded.ids[text.size()], tokenizer.eos_id());
  EXPECT_EQ(padded.ids.back(), tokenizer.pad_id());
  EXPECT_FALSE(padded.truncated);

  const std::string prompt = "a red apple under the stars. a red apple under the stars.";
  const Tokens cut = tokenizer.tokenize(prompt, options);
  ASSERT_EQ(cut.ids.size(), 12u);
  EXPECT_EQ(cut.ids.back(), tokenizer.eos_id());
  EXPECT_TRUE(cut.truncated);
  ASSERT_GT(cut.dropped.size(), 10u);
  EXPECT_EQ(prompt.substr(prompt.size() - cut.dropped.size()), cut.dropped);
  const Ids all = tokenizer.encode(prompt);
  EXPECT_TRUE(std::equal(cut.ids.begin(), cut.ids.end() - 1, all.begin()));
}

TEST(T5Tokenizer, MinimumLengthWithoutLimit) {
  const T5Tokenizer tokenizer = T5Tokenizer::load(t5_files());
  TokenizeOptions options;
  options.length = 77;
  options.truncate = false;
  EXPECT_EQ(tokenizer.tokenize("a cat", options).ids.size(), 77u);
  std::string prompt;
  for (int i = 0; i < 100; ++i) prompt += "apple ";
  const Tokens row = tokenizer.tokenize(prompt, options);
  EXPECT_EQ(row.ids.size(), tokenizer.encode(prompt).size() + 1);
  EXPECT_EQ(row.ids.size(), static_cast<std::size_t>(row.used));
  EXPECT_FALSE(row.truncated);
  options.max_characters = 226;
  const Tokens reference = tokenizer.tokenize(prompt, options);
  EXPECT_EQ(reference.ids, tokenizer.tokenize(prompt.substr(0, 226), options).ids);
  EXPECT_TRUE(reference.truncated);
  EXPECT_EQ(reference.dropped, prompt.substr(226));
}

TEST(T5Tokenizer, EmptyPromptIsEosAlone) {
  for (const TokenizerFiles& files : {t5_files(), t5_json_files()}) {
    const T5Tokenizer tokenizer = T5Tokenizer::load(files);
    EXPECT_EQ(tokenizer.tokenize("").ids, Ids{tokenizer.eos_id()});
    EXPECT_EQ(tokenizer.tokenize(" \n ").used, 1);
  }
}

TEST(T5Tokenizer, ConfigurationIsRead) {
  TokenizerFiles files = t5_files();
  files.contents["tokenizer_config.json"] =
      R"({"model_max_length": 512, "extra_ids": 7, "pad_token": {"content": "<pad>"},
          "added_tokens_decoder": {"900": {"content": "<more>", "lstrip": true, "rstrip": true}}})";
  const T5Tokenizer tokenizer = T5Tokenizer::load(files);
  const T5Tokenizer plain = T5Tokenizer::load(t5_files());
  EXPECT_EQ(tokenizer.model_max_length(), 512);
  EXPECT_EQ(tokenizer.vocab_size(), 901);
  EXPECT_EQ(plain.model_max_length(), 0);
  const std::int32_t pieces = plain.vocab_size() - 100;
  EXPECT_EQ(plain.encode("<extra_id_0>"), Ids{plain.vocab_size() - 1});
  EXPECT_EQ(plain.encode("<extra_id_99>"), Ids{pieces});
  EXPECT_EQ(tokenizer.encode("<extra_id_6>"), Ids{pieces});
  EXPECT_EQ(tokenizer.encode("  <more>  "), Ids{900});
  EXPECT_EQ(tokenizer.tokenize("a").ids.size(), 512u);
}

TEST(T5Tokenizer, TokenizerJsonGoesBeforeSpiece) {
  TokenizerFiles both = t5_json_files();
  both.contents["spiece.model"] = "not a model";
  EXPECT_EQ(T5Tokenizer::load(both).encode("a b"),
            T5Tokenizer::load(t5_json_files()).encode("a b"));
}

TEST(T5Tokenizer, InvalidTextNamesTheField) {
  const T5Tokenizer tokenizer = T5Tokenizer::load(t5_files());
  const Error error = error_of([&] { (void)tokenizer.tokenize("abc\xFF"); });
  EXPECT_EQ(error.code(), Code::kInvalidArgument);
  EXPECT_NE(std::string(error.what()).find("prompt"), std::string::npos);
  EXPECT_NE(std::string(error.what()).find("offset 3"), std::string::npos);
}

// Best score over all ways to cut the word, by recursion.
double best_score(const UnigramSpec& spec, const std::string& word, double unk) {
  if (word.empty()) return 0;
  double best = best_score(spec, word.substr(1), unk) + unk;
  for (const auto& [piece, score] : spec.pieces) {
    if (!piece.empty() && word.compare(0, piece.size(), piece) == 0) {
      best = std::max(best, score + best_score(spec, word.substr(piece.size()), unk));
    }
  }
  return best;
}

TEST(UnigramModel, FindsTheBestCut) {
  std::mt19937 random(11);
  for (int round = 0; round < 100; ++round) {
    UnigramSpec spec;
    spec.unk_id = 0;
    spec.pieces.emplace_back("<unk>", 0.0);
    double lowest = 0;
    for (int i = 0; i < 12; ++i) {
      std::string piece;
      for (std::size_t length = 1 + random() % 4; length > 0; --length)
        piece += "abc"[random() % 3];
      bool known = false;
      for (const auto& other : spec.pieces) known = known || other.first == piece;
      if (known) continue;
      spec.pieces.emplace_back(piece, -static_cast<double>(random() % 1000) / 100 - 0.01 * i);
      lowest = std::min(lowest, spec.pieces.back().second);
    }
    const UnigramModel model(spec, "test");
    std::string word;
    for (std::size_t length = 1 + random() % 9; length > 0; --length) word += "abc"[random() % 3];
    Ids ids;
    model.encode_word(word, ids);
    // The pieces spell the word (unknowns any one or more characters) and reach the best score.
    double score = 0;
    std::size_t spelled = 0, unknown = 0;
    for (std::size_t i = 0; i < ids.size(); ++i) {
      EXPECT_FALSE(i > 0 && ids[i] == 0 && ids[i - 1] == 0) << "unknowns are fused";
      if (ids[i] != 0) {
        score += spec.pieces[static_cast<std::size_t>(ids[i])].second;
        spelled += model.piece(ids[i]).size();
      }
    }
    unknown = word.size() - spelled;
    score += static_cast<double>(unknown) * (lowest - 10);
    EXPECT_NEAR(score, best_score(spec, word, lowest - 10), 1e-9) << word;
  }
}

TEST(T5Tokenizer, MegabytePromptsTakeLinearTime) {
  const std::size_t megabyte = std::size_t{1} << 20;
  std::string words, marks = "a";
  while (words.size() < megabyte) words += "a red apple on a blue background, ";
  while (marks.size() < megabyte) marks += "\u0301\u0323";
  for (const TokenizerFiles& files : {t5_files(), t5_json_files()}) {
    const T5Tokenizer tokenizer = T5Tokenizer::load(files);
    for (const std::string& prompt :
         {words, std::string(megabyte, 'x'), std::string(megabyte, ' '), std::string(megabyte, '-'),
          std::string(megabyte, '<'), marks}) {
      const auto begin = std::chrono::steady_clock::now();
      TokenizeOptions options;
      options.length = 256;
      EXPECT_EQ(tokenizer.tokenize(prompt, options).ids.size(), 256u);
      const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - begin;
      EXPECT_LT(spent.count(), 15.0) << prompt.substr(0, 40);
    }
  }
}

}  // namespace
}  // namespace octet
