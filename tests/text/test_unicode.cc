#include <gtest/gtest.h>

#include "octet/error.h"
#include "text/unicode.h"

namespace octet::unicode {
namespace {

TEST(Utf8, RoundTripOfEveryScalarValue) {
  std::u32string all;
  for (char32_t code = 0; code <= 0x10FFFF; ++code) {
    if (code < 0xD800 || code >= 0xE000) all.push_back(code);
  }
  const std::string bytes = encode_utf8(all);
  EXPECT_FALSE(find_invalid_utf8(bytes));
  EXPECT_EQ(decode_utf8(bytes, "prompt"), all);
}

TEST(Utf8, InvalidBytesAreFoundWhereTheyAre) {
  const std::pair<std::string, std::size_t> bad[] = {
      {"\x80", 0},
      {"ab\xFF", 2},
      {"\xC0\x80", 0},
      {"\xC1\xBF", 0},
      {"a\xC3", 1},
      {"\xC3(", 0},
      {"\xE0\x9F\xBF", 0},
      {"\xED\xA0\x80", 0},
      {"\xED\xBF\xBF", 0},
      {"\xE2\x82", 0},
      {"\xF0\x8F\xBF\xBF", 0},
      {"\xF4\x90\x80\x80", 0},
      {"\xF5\x80\x80\x80", 0},
      {"xyz\xF0\x9F\x98", 3},
      {"\xE2\x82\xAC\xE2", 3},
  };
  for (const auto& [bytes, offset] : bad) {
    ASSERT_TRUE(find_invalid_utf8(bytes)) << offset;
    EXPECT_EQ(*find_invalid_utf8(bytes), offset);
    try {
      (void)decode_utf8(bytes, "negative prompt");
      ADD_FAILURE();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::kInvalidArgument);
      const std::string message = error.what();
      EXPECT_NE(message.find("negative prompt"), std::string::npos) << message;
      EXPECT_NE(message.find("offset " + std::to_string(offset)), std::string::npos) << message;
    }
  }
}

TEST(NormalForms, ExamplesOfTheStandard) {
  EXPECT_EQ(nfd(U"\u00e9"), U"e\u0301");
  EXPECT_EQ(nfc(U"e\u0301"), U"\u00e9");
  EXPECT_EQ(nfd(U"\u1e9b\u0323"), U"\u017f\u0323\u0307");
  EXPECT_EQ(nfc(U"\u1e9b\u0323"), U"\u1e9b\u0323");
  EXPECT_EQ(nfc(U"\u212b"), U"\u00c5");                // singleton
  EXPECT_EQ(nfc(U"q\u0307\u0323"), U"q\u0323\u0307");  // order
  EXPECT_EQ(nfc(U"a\u0301\u0323"), U"\u1ea1\u0301");   // composition over another mark
  EXPECT_EQ(nfc(U"a\u0305\u0301"), U"a\u0305\u0301");  // blocked by an equal class
  EXPECT_EQ(nfc(U"\u0958"), U"\u0915\u093c");          // composition exclusion
  EXPECT_EQ(nfc(U"\u1100\u1161\u11a8"), U"\uac01");    // Hangul
  EXPECT_EQ(nfc(U"\uac00\u11a7"), U"\uac00\u11a7");    // no trailing consonant
  EXPECT_EQ(nfd(U"\uac01"), U"\u1100\u1161\u11a8");
  EXPECT_EQ(nfc(U"\u0301a"), U"\u0301a");  // mark without a base
  EXPECT_EQ(nfc(U"\U0001d15e"), U"\U0001d157\U0001d165");
  EXPECT_EQ(nfc(U""), U"");
}

TEST(NormalForms, AreStableOnEveryCodePoint) {
  for (char32_t code = 0; code <= 0x10FFFF; ++code) {
    if (code >= 0xD800 && code < 0xE000) continue;
    const std::u32string composed = nfc({&code, 1}), decomposed = nfd({&code, 1});
    ASSERT_EQ(nfc(composed), composed) << std::hex << static_cast<unsigned>(code);
    ASSERT_EQ(nfd(decomposed), decomposed) << std::hex << static_cast<unsigned>(code);
    ASSERT_EQ(nfc(decomposed), composed) << std::hex << static_cast<unsigned>(code);
  }
}

TEST(Lower, SpecialCases) {
  EXPECT_EQ(lower(U"ABC xyz \u00c9"), U"abc xyz \u00e9");
  EXPECT_EQ(lower(U"\u0130"), U"i\u0307");
  EXPECT_EQ(lower(U"\u039f\u03a3"), U"\u03bf\u03c3");  // no final sigma
  EXPECT_EQ(lower(U"\u0100\u0101\u0102"), U"\u0101\u0101\u0103");
  EXPECT_EQ(lower(U"\u1e9e\u212a\u2126"), U"\u00dfk\u03c9");
  EXPECT_EQ(lower(U"\U00010400\u13a0\u10a0"), U"\U00010428\uab70\u2d00");
}

TEST(Classes, LettersNumbersBlanks) {
  for (const char32_t code :
       std::u32string_view(U"aZ\u00aa\u00e9\u03a3\u4e00\uac00\U00020000\u02b0")) {
    EXPECT_TRUE(is_letter(code) && !is_number(code)) << static_cast<unsigned>(code);
  }
  for (const char32_t code : std::u32string_view(U"09\u00bd\u00b2\u0663\u2163\u3007\U0001d7ce")) {
    EXPECT_TRUE(is_number(code) && !is_letter(code)) << static_cast<unsigned>(code);
  }
  for (const char32_t code :
       std::u32string_view(U"!@[`{\u0301\u20ac\u00d7\u00f7\U0001f600\u200b\ufeff\u180e")) {
    EXPECT_FALSE(is_letter(code) || is_number(code) || is_whitespace(code));
  }
  int blanks = 0;
  for (char32_t code = 0; code <= 0x10FFFF; ++code) blanks += is_whitespace(code);
  EXPECT_EQ(blanks, 25);  // White_Space of Unicode 15
}

TEST(Graphemes, Boundaries) {
  const std::pair<std::u32string, std::size_t> first[] = {
      {U"ab", 1},
      {U"e\u0301x", 2},
      {U"\r\nx", 2},
      {U"\n\u0301", 1},
      {U"\r\r", 1},
      {U"\u0600\u0661x", 2},
      {U"a\u200db", 2},
      {U"\u0915\u0903x", 2},
      {U"\u1100\u1161\u11a8\u1100", 3},
      {U"\uac00\u11a8x", 2},
      {U"\uac01\u1161", 1},
      {U"\U0001f468\u200d\U0001f469x", 3},
      {U"\U0001f468\u0301\u200d\U0001f469x", 4},
      {U"\U0001f1e9\U0001f1ea\U0001f1eb", 2},
      {U"a\u200d\U0001f469", 2},
      {U"\u0600\n", 1},
      {U"\U0001f44d\U0001f3fdx", 2},
  };
  for (const auto& [text, end] : first) EXPECT_EQ(grapheme_end(text, 0), end) << encode_utf8(text);
}

}  // namespace
}  // namespace octet::unicode
