#include <gtest/gtest.h>

#include <set>
#include <string>

#include "base/check.h"
#include "base/format.h"
#include "octet/error.h"

namespace octet {
namespace {

constexpr Code kCodes[] = {Code::kInternal,    Code::kInvalidArgument, Code::kUnsupported,
                           Code::kCorruptFile, Code::kModelMismatch,   Code::kOutOfMemory,
                           Code::kIo,          Code::kDevice,          Code::kRefused,
                           Code::kCancelled};

TEST(Error, EveryCodeHasItsExitStatusAndName) {
  const int exits[] = {1, 2, 3, 3, 3, 4, 5, 6, 7, 130};
  std::set<std::string> names;
  for (std::size_t i = 0; i < std::size(kCodes); ++i) {
    EXPECT_EQ(exit_code(kCodes[i]), exits[i]) << code_name(kCodes[i]);
    names.insert(code_name(kCodes[i]));
  }
  EXPECT_EQ(names.size(), std::size(kCodes));
  EXPECT_STREQ(code_name(Code::kCorruptFile), "corrupt_file");
}

TEST(Error, KeepsCodeAndMessage) {
  const Error e(Code::kIo, "file: expected one, found none");
  EXPECT_EQ(e.code(), Code::kIo);
  EXPECT_STREQ(e.what(), "file: expected one, found none");
}

TEST(Format, AnyLength) {
  EXPECT_EQ(format("%s", ""), "");
  EXPECT_EQ(format("%d of %s", 3, "x"), "3 of x");
  const std::string big(100000, 'y');
  EXPECT_EQ(format("<%s>", big.c_str()).size(), big.size() + 2);
}

TEST(Excerpt, CutsAndCleans) {
  EXPECT_EQ(excerpt("short"), "short");
  EXPECT_EQ(excerpt("abcdef", 6), "abcdef");
  EXPECT_EQ(excerpt("abcdefg", 6), "abcdef...");
  EXPECT_EQ(excerpt("", 0), "");
  EXPECT_EQ(excerpt("a\nb\x1b[31m\x7f\r\t"), "a?b?[31m???");
  EXPECT_EQ(excerpt(std::string("a\0b", 3)), "a?b");
  EXPECT_EQ(excerpt("\xc3\xa9"), "\xc3\xa9");
}

TEST(Check, NamesPlaceConditionAndDetail) {
  const int found = 3;
  try {
    OCTET_CHECK(found == 2, "found %d", found);
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::kInternal);
    const std::string text = e.what();
    EXPECT_NE(text.find("error_format_test.cc:"), std::string::npos) << text;
    EXPECT_NE(text.find("found == 2: found 3"), std::string::npos) << text;
  }
}

TEST(Check, EvaluatesOnceAndPassesSilently) {
  int calls = 0;
  EXPECT_NO_THROW(OCTET_CHECK(++calls == 1, "never"));
  EXPECT_EQ(calls, 1);
}

}  // namespace
}  // namespace octet
