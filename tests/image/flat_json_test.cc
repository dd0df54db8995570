#include "image/flat_json.h"

#include <gtest/gtest.h>

#include <random>

#include "octet/error.h"

namespace octet {
namespace {

TEST(FlatJson, WritesAndReads) {
  const std::vector<JsonField> fields = {{"a", "x \"y\" \\ \n \t \x01 \x7f \xc3\xa9", true},
                                         {"b", "18446744073709551615", false},
                                         {"c", "", true}};
  const std::string text = write_flat_json(fields);
  EXPECT_EQ(text,
            "{\"a\": \"x \\\"y\\\" \\\\ \\n \\u0009 \\u0001 \\u007f \xc3\xa9\", "
            "\"b\": 18446744073709551615, \"c\": \"\"}");
  const std::vector<JsonField> back = read_flat_json(text);
  ASSERT_EQ(back.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(back[i].key, fields[i].key);
    EXPECT_EQ(back[i].value, fields[i].value);
    EXPECT_EQ(back[i].quoted, fields[i].quoted);
  }
}

TEST(FlatJson, ReadsWhatOthersWrite) {
  const auto fields = read_flat_json(
      " {\t\"k\" :\r\n\"\\u00e9\\ud83c\\udf4e\\/\\b\\f\\r\\u20AC\" , \"n\":-1.5e+3,\"t\":true} ");
  ASSERT_EQ(fields.size(), 3u);
  EXPECT_EQ(fields[0].value, "\xc3\xa9\xf0\x9f\x8d\x8e/\b\f\r\xe2\x82\xac");
  EXPECT_EQ(fields[1].value, "-1.5e+3");
  EXPECT_EQ(fields[2].value, "true");
  EXPECT_TRUE(read_flat_json("{}").empty());
}

TEST(FlatJson, RefusesTheRest) {
  for (const char* bad : {"",
                          "{",
                          "[]",
                          "{\"a\"}",
                          "{\"a\":}",
                          "{\"a\":1,}",
                          "{\"a\":1} x",
                          "{\"a\":1 \"b\":2}",
                          "{\"a\":{}}",
                          "{\"a\":[1]}",
                          "{\"a\":\"x}",
                          "{\"a\":\"\\q\"}",
                          "{\"a\":\"\\",
                          "{a:1}",
                          "{\"a\":\"\\u12",
                          "{\"a\":\"\\u12g4\"}",
                          "{\"a\":\"\\ud83c\"}",
                          "{\"a\":\"\\ud83c\\u0041\"}",
                          "{\"a\":\"\\udf4e\"}",
                          "{\"a\":1,\"a\":2}"}) {
    EXPECT_THROW((void)read_flat_json(bad), Error) << bad;
  }
}

TEST(FlatJson, RandomTextNeverCrashes) {
  std::mt19937 engine(5);
  constexpr std::string_view kLetters = "{}[]\":,\\ud83c0n1e \n";
  for (int round = 0; round < 20000; ++round) {
    std::string text = "{\"a\":";
    for (std::size_t i = engine() % 20; i > 0; --i) text += kLetters[engine() % kLetters.size()];
    try {
      (void)read_flat_json(text);
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), Code::kCorruptFile);
    }
  }
}

}  // namespace
}  // namespace octet
