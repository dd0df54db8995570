// Broken model files: every one gives a typed error or a working tokenizer, never anything else.
#include <algorithm>
#include <functional>
#include <random>

#include "fixtures.h"
#include "text/charsmap.h"
#include "text/clip_bpe.h"
#include "text/spiece_model.h"
#include "text/t5_unigram.h"
#include "text/unigram.h"

namespace octet {
namespace {

const char* const kPrompt = "It's a r\u00e9d  apple! \ufb01 </s> <|endoftext|> \u4e00\u200b";

void use(const TokenizerFiles& files, bool clip) {
  if (clip) {
    (void)ClipTokenizer::load(files).tokenize(kPrompt);
  } else {
    TokenizeOptions options;
    options.length = 4;
    (void)T5Tokenizer::load(files).tokenize(kPrompt, options);
  }
}

/// Loads and uses; an error must be typed, for the file, and one line. Returns whether it failed.
bool fails_politely(const TokenizerFiles& files, bool clip) {
  try {
    use(files, clip);
    return false;
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_EQ(exit_code(error.code()), 3) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    EXPECT_NE(message.find("fixture"), std::string::npos) << message;
    return true;
  } catch (const std::exception& other) {
    ADD_FAILURE() << "untyped: " << other.what();
    return true;
  }
}

struct Target {
  TokenizerFiles files;
  const char* name;  // the file to break
  bool clip;
};

std::vector<Target> targets() {
  return {{clip_files(), "vocab.json", true},
          {clip_files(), "merges.txt", true},
          {clip_files(), "tokenizer_config.json", true},
          {t5_files(), "spiece.model", false},
          {t5_json_files(), "tokenizer.json", false}};
}

TEST(HostileFiles, Truncated) {
  for (const Target& target : targets()) {
    const std::string whole = target.files.contents.at(target.name);
    int failures = 0;
    const std::size_t step = std::max<std::size_t>(1, whole.size() / 60);
    for (std::size_t size = 0; size < whole.size(); size += step) {
      TokenizerFiles files = target.files;
      files.contents[target.name] = whole.substr(0, size);
      failures += fails_politely(files, target.clip);
    }
    // A list of merges that stops between two lines is a valid list.
    EXPECT_GT(failures, std::string(target.name) == "merges.txt" ? 5 : 50) << target.name;
  }
}

TEST(HostileFiles, RandomBytesChanged) {
  std::mt19937 random(3);
  for (const Target& target : targets()) {
    const std::string whole = target.files.contents.at(target.name);
    int failures = 0;
    for (int round = 0; round < 150; ++round) {
      TokenizerFiles files = target.files;
      std::string& bytes = files.contents[target.name];
      for (std::size_t changes = 1 + random() % 8; changes > 0; --changes) {
        bytes[random() % bytes.size()] = static_cast<char>(random());
      }
      failures += fails_politely(files, target.clip);
    }
    EXPECT_GT(failures, 0) << target.name;
  }
}

TEST(HostileFiles, Garbage) {
  std::mt19937 random(5);
  for (const Target& target : targets()) {
    for (int round = 0; round < 100; ++round) {
      TokenizerFiles files = target.files;
      std::string bytes(1 + random() % 300, '\0');
      for (char& byte : bytes) byte = static_cast<char>(random());
      files.contents[target.name] = bytes;
      EXPECT_TRUE(fails_politely(files, target.clip));
    }
  }
}

struct Case {
  const char* name;  // file
  std::string bytes;
  const char* expected;         // part of the message
  const char* named = nullptr;  // the file in the message when it is another one
};

void expect_messages(const std::vector<Case>& cases, const TokenizerFiles& base, bool clip) {
  for (const Case& each : cases) {
    TokenizerFiles files = base;
    files.contents[each.name] = each.bytes;
    const Error error = error_of([&] { use(files, clip); });
    const std::string message = error.what();
    EXPECT_EQ(exit_code(error.code()), 3) << message;
    EXPECT_NE(message.find(each.named ? each.named : each.name), std::string::npos) << message;
    EXPECT_NE(message.find(each.expected), std::string::npos) << message;
  }
}

TEST(HostileFiles, ClipMessagesNameFileAndField) {
  const std::string deep(100, '[');
  expect_messages(
      {
          {"vocab.json", "", "valid JSON"},
          {"vocab.json", deep, "levels"},
          {"vocab.json", "[]", "an object"},
          {"vocab.json", R"({"a": -1})", "token id"},
          {"vocab.json", R"({"a": 99999999999})", "token id"},
          {"vocab.json", R"({"a": "b"})", "token id"},
          {"vocab.json", R"({"a": 1.5})", "token id"},
          {"vocab.json", R"({"a": 1})", "merge rule 1", "merges.txt"},
          {"merges.txt", "#version\na nowhere\n", "merge rule 1"},
          {"merges.txt", "#version\na\n", "merge rule 2"},
          {"merges.txt", "#version\na b c\n", "two symbols"},
          {"merges.txt", "a \xFF\n", "UTF-8"},
          {"tokenizer_config.json", R"({"pad_token": 3})", "pad_token"},
          {"tokenizer_config.json", R"({"pad_token": {"content": ""}})", "content"},
          {"tokenizer_config.json", R"({"pad_token": "nowhere"})", "nowhere", "vocab.json"},
          {"tokenizer_config.json", R"({"model_max_length": "x"})", "model_max_length"},
          {"tokenizer_config.json", R"({"model_max_length": -3})", "model_max_length"},
          {"tokenizer_config.json", R"({"added_tokens_decoder": {"x": {"content": "a"}}})", "keys"},
          {"tokenizer_config.json", R"({"added_tokens_decoder": {"99999999": {"content": "a"}}})",
           "keys"},
          {"tokenizer_config.json", R"({"added_tokens_decoder": []})", "added_tokens_decoder"},
      },
      clip_files(), true);
}

TEST(HostileFiles, MissingFiles) {
  TokenizerFiles empty;
  empty.origin = "somewhere";
  for (const bool clip : {true, false}) {
    const Error error = error_of([&] { use(empty, clip); });
    EXPECT_EQ(error.code(), Code::kModelMismatch);
    EXPECT_NE(std::string(error.what()).find("somewhere"), std::string::npos);
  }
  TokenizerFiles half = clip_files();
  half.contents.erase("merges.txt");
  EXPECT_EQ(error_of([&] { use(half, true); }).code(), Code::kModelMismatch);
}

std::string with_model(const std::string& rest) {
  return R"({"model":{"type":"Unigram","unk_id":0,"vocab":[["<unk>",0],["</s>",0],["<pad>",0]]})" +
         rest + "}";
}

TEST(HostileFiles, TokenizerJsonMessages) {
  const char* const file = "tokenizer.json";
  expect_messages(
      {
          {file, "{}", "model"},
          {file, R"({"model":{"type":"WordPiece"}})", "WordPiece"},
          {file, R"({"model":{"type":"Unigram","vocab":[["a",1]],"unk_id":9}})", "unk id"},
          {file, R"({"model":{"type":"Unigram","vocab":[["a",1]]}})", "unk_id"},
          {file, R"({"model":{"type":"Unigram","vocab":[["a"]],"unk_id":0}})", "pairs"},
          {file, R"({"model":{"type":"Unigram","vocab":[],"unk_id":0}})", "unk id"},
          {file, R"({"model":{"type":"Unigram","vocab":[["a",1]],"unk_id":0}})", "eos_token"},
          {file, with_model(R"(,"normalizer":{"type":"Strange"})"), "Strange"},
          {file, with_model(R"(,"normalizer":{"type":"Sequence"})"), "normalizer"},
          {file, with_model(R"(,"normalizer":{"type":"Precompiled","precompiled_charsmap":"?"})"),
           "base64"},
          {file,
           with_model(R"(,"normalizer":{"type":"Precompiled","precompiled_charsmap":"/////w=="})"),
           "trie"},
          {file,
           with_model(
               R"(,"normalizer":{"type":"Replace","pattern":{"Regex":"(a|b)*"},"content":""})"),
           "(a|b)*"},
          {file,
           with_model(R"(,"normalizer":{"type":"Replace","pattern":{"String":""},"content":""})"),
           "pattern"},
          {file, with_model(R"(,"pre_tokenizer":{"type":"Digits"})"), "Digits"},
          {file, with_model(R"(,"pre_tokenizer":{"type":"Metaspace","replacement":"ab"})"),
           "one character"},
          {file, with_model(R"(,"post_processor":{"type":"TemplateProcessing","single":[]})"),
           "once"},
          {file, with_model(R"(,"post_processor":{"type":"TemplateProcessing","single":[
                {"SpecialToken":{"id":"x"}}]})"),
           "special token x"},
          {file, with_model(R"(,"added_tokens":[{"content":"x"}])"), "id"},
      },
      t5_json_files(), false);
}

std::string field(char key, const std::string& bytes) {
  return std::string(1, key) + static_cast<char>(bytes.size()) + bytes;
}

TEST(HostileFiles, SpieceMessages) {
  const char* const file = "spiece.model";
  const std::string unknown = field('\x0a', field('\x0a', "<unk>") + "\x18\x02");
  expect_messages(
      {
          {file, "", "type unknown"},
          {file, unknown, "eos_token"},
          {file, unknown + unknown, "one piece"},
          {file, "\x0a\x7f", "more bytes"},
          {file, std::string(11, '\x80'), "10 bytes"},
          {file, "\x0b", "wire type"},
          {file, field('\x0a', "\x18\x09"), "piece type"},
          {file, field('\x0a', "\x0a\x01\xff"), "UTF-8"},
          {file, field('\x0a', "\x10\x01"), "float"},
          {file, field('\x12', "\x18\x02"), "Unigram"},
          {file,
           field('\x0a', field('\x0a', "a") + std::string("\x15\x00\x00\xc0\x7f", 5)) + unknown,
           "finite"},
      },
      t5_files(), false);
}

TEST(HostileFiles, CharsmapOffsetsAreChecked) {
  // One unit: the root's children lie far outside.
  const std::string far("\x04\x00\x00\x00\x00\xfe\xff\xff", 8);
  EXPECT_EQ(Charsmap(far, "fixture").apply(U"abc"), U"abc");
  // A leaf for 'a' whose value is beyond the replacements: root offset 1, node 1^'a'.
  std::string units(4 * 256, '\0');
  const auto put = [&](std::size_t index, std::uint32_t unit) {
    for (std::size_t i = 0; i < 4; ++i) units[4 * index + i] = static_cast<char>(unit >> (8 * i));
  };
  put(0, 1u << 10);
  put(1 ^ 'a', 'a' | 0x100u | 2u << 10);
  put(1 ^ 'a' ^ 2, 0x80000000u | 77u);
  const std::string size("\x00\x04\x00\x00", 4);
  const Charsmap outside(size + units + "short", "fixture");
  EXPECT_EQ(outside.apply(U"b"), U"b");
  EXPECT_EQ(error_of([&] { (void)outside.apply(U"a"); }).code(), Code::kCorruptFile);
  // The same with a value inside: 'a' becomes "rt"; with one inside a character it is an error.
  put(1 ^ 'a' ^ 2, 0x80000000u | 3u);
  EXPECT_EQ(Charsmap(size + units + "short", "fixture").apply(U"xax"), U"xrtx");
  const Charsmap inside(size + units + "xx\u00e9", "fixture");
  EXPECT_EQ(error_of([&] { (void)inside.apply(U"a"); }).code(), Code::kCorruptFile);
}

TEST(HostileFiles, ReplacementsMustNotFillTheMemory) {
  // Every blank becomes ten thousand letters.
  std::string json =
      with_model(R"(,"normalizer":{"type":"Replace","pattern":{"String":" "},"content":")" +
                 std::string(10000, 'z') + "\"}");
  TokenizerFiles files;
  files.contents["tokenizer.json"] = json;
  const T5Tokenizer tokenizer = T5Tokenizer::load(files);
  const Error error = error_of([&] { (void)tokenizer.encode(std::string(20000, ' ')); });
  EXPECT_EQ(error.code(), Code::kCorruptFile);
}

}  // namespace
}  // namespace octet
