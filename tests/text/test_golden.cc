// Every id equals what the reference libraries gave; see data/generate.py.
#include <nlohmann/json.hpp>

#include "fixtures.h"
#include "text/clip_bpe.h"
#include "text/t5_unigram.h"

namespace octet {
namespace {

using Ids = std::vector<std::int32_t>;

const nlohmann::json& cases() {
  static const nlohmann::json document = nlohmann::json::parse(read_fixture("golden.json"));
  return document.at("cases");
}

std::string text_of(const nlohmann::json& entry) {
  std::string text;
  for (int i = 0; i < entry.value("repeat", 1); ++i) text += entry.at("text").get<std::string>();
  return text;
}

/// Compares all cases; `same` names the column that stands in where `column` is left out.
template <typename Tokenizer>
void expect_equal(const Tokenizer& tokenizer, const char* column, const char* same) {
  ASSERT_GE(cases().size(), 300u);
  for (const auto& entry : cases()) {
    const Ids expected = entry.at(entry.contains(column) ? column : same).get<Ids>();
    EXPECT_EQ(tokenizer.encode(text_of(entry)), expected) << entry.at("text");
  }
}

TEST(Golden, ClipWithEosPadding) {
  expect_equal(ClipTokenizer::load(clip_files()), "clip", "clip");
}

TEST(Golden, ClipWithBangPadding) {
  expect_equal(ClipTokenizer::load(clip_bang_files()), "clip_bang", "clip");
}

TEST(Golden, ClipWithBangPaddingNotMatched) {
  // As ComfyUI does: the text is cut as with the other tokenizer.
  const ClipTokenizer tokenizer = ClipTokenizer::load(clip_bang_files());
  TokenizeOptions options;
  options.match_pad = false;
  for (const auto& entry : cases()) {
    EXPECT_EQ(tokenizer.encode(text_of(entry), options), entry.at("clip").get<Ids>());
  }
}

TEST(Golden, T5FromSpiece) { expect_equal(T5Tokenizer::load(t5_files()), "t5", "t5"); }

TEST(Golden, T5FromSpieceNotLegacy) {
  TokenizerFiles files = t5_files();
  files.contents["tokenizer_config.json"] = R"({"legacy": false})";
  expect_equal(T5Tokenizer::load(files), "t5_first", "t5");
}

TEST(Golden, T5FromTokenizerJson) {
  expect_equal(T5Tokenizer::load(t5_json_files()), "t5_json", "t5_json");
}

}  // namespace
}  // namespace octet
