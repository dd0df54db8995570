// The lock file: what is written is read back, and everything else is refused with its place.
#include "lock/lock_toml.h"

#include <gtest/gtest.h>

#include <random>

#include "lock/sample_lock.h"
#include "support/errors.h"

namespace octet {
namespace {

using test::expect_error;
using test::sample_lock;

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

void expect_refused(const std::string& text, const std::string& part) {
  expect_error(Code::kRefused, part, [&] { (void)parse_lock(text, "octet.lock"); });
  expect_error(Code::kRefused, "octet.lock", [&] { (void)parse_lock(text, "octet.lock"); });
}

TEST(LockToml, IsReadAsWritten) {
  const ModelLock lock = sample_lock();
  EXPECT_EQ(parse_lock(to_toml(lock), "x"), lock);
  ModelLock least;
  least.files = {{.name = "a", .size = 1, .sha256 = std::string(64, '0')}};
  EXPECT_EQ(parse_lock(to_toml(least), "x"), least);
  EXPECT_EQ(to_toml(parse_lock(to_toml(lock), "x")), to_toml(lock));
}

TEST(LockToml, NamesMustBeUtf8) {
  ModelLock lock = sample_lock();
  lock.files[0].name = "caf\xe9.json";
  expect_error(Code::kUnsupported, "UTF-8", [&] { (void)to_toml(lock); });
}

TEST(LockToml, CharactersOutsideAsciiOnlyInStrings) {
  ModelLock lock = sample_lock();
  lock.files[0].name = "caf\u00e9 \ufcff \U0001f34e.json";
  EXPECT_EQ(parse_lock(to_toml(lock), "x"), lock);
  const std::string good = to_toml(sample_lock());
  EXPECT_EQ(parse_lock("# caf\u00e9 \ufcff\n" + good, "x"), sample_lock());
  for (const char* odd : {"\u00a0", "\u2028", "\ufc46", "\ufcff", "\U0001f34e"}) {
    expect_refused(odd + good, "line 1: expected TOML");
    expect_refused(replaced(good, "format = 1", std::string("format = 1") + odd), "expected TOML");
    expect_refused(replaced(good, "format", std::string("format") + odd), "expected TOML");
  }
  expect_refused("#\n# caf\xe9\n" + good, "line 2: expected TOML in UTF-8, found byte 0xe9");
}

TEST(LockToml, KeysMustBeKnownPresentAndOfTheirType) {
  const std::string good = to_toml(sample_lock());
  expect_refused(replaced(good, "format = 1", "format = 2"), "format: expected 1, found 2");
  expect_refused(replaced(good, "format = 1\n", ""), "format: expected a value, found none");
  expect_refused(replaced(good, "format = 1", "format = \"1\""), "an integer, found a string");
  expect_refused(replaced(good, "engine = \"0.1.0\"", "engine = 0.1"), "engine: expected a string");
  expect_refused(replaced(good, "numerics = 3", "numerics = -3"), "no negative number, found -3");
  expect_refused(replaced(good, "numerics = 3", "numerics = 3.0"), "found a fraction");
  expect_refused(replaced(good, "numerics = 3", "numerics = 3\nextra = 1"), "extra: expected no");
  expect_refused(replaced(good, "size = 12", "size = 12\nmtime = 1"), "file 1: mtime: expected no");
  expect_refused(replaced(good, "size = 12\n", ""), "file 1: size: expected a value");
  expect_refused(replaced(good, "tensors = 5", "tensors = true"), "component 1: tensors: expected");
  expect_refused(replaced(good, "scales = ", "scale = "), "component 1: scales: expected a value");
  const std::string row = "{ tensors = 2, bytes = 8 }";
  expect_refused(replaced(good, row, "2"), "BF16: expected a table");
  expect_refused(replaced(good, row, "{ tensors = 2, bytes = 8, x = 1 }"),
                 "file 3: dtypes: BF16: x: expected no such key");
  expect_refused(good + "\n[more]\n", "more: expected no such key");
  expect_refused(good + "\n[[file]]\n", "file 4: name: expected a value");
  const std::string head =
      "format = 1\nengine = \"\"\nnumerics = 1\nlayout = \"\"\nvariant = \"\"\n";
  expect_refused(head, "file: expected at least one, found none");
  expect_refused(head + "file = 3", "file: expected tables [[file]], found an integer");
  expect_refused(head + "file = [1]", "file: expected tables only, found an integer");
}

TEST(LockToml, DigestsAreSixtyFourDigits) {
  const std::string good = to_toml(sample_lock());
  for (const std::string& bad : {std::string(63, 'a'), std::string(65, 'a'), std::string(64, 'A'),
                                 std::string(64, 'g'), std::string(), std::string(64, ' ')}) {
    expect_refused(replaced(good, std::string(64, 'a'), bad), "file 1: sha256: expected 64");
    expect_refused(replaced(good, std::string(64, '2'), bad), "header_sha256: expected 64");
    expect_refused(replaced(good, std::string(64, 'c'), bad), "tokenizer 1: sha256: expected 64");
  }
}

TEST(LockToml, DtypesAreOfFilesWithAHeader) {
  const std::string good = to_toml(sample_lock());
  const std::string line = "header_sha256 = \"" + std::string(64, '2') + "\"\n";
  expect_refused(replaced(good, line, ""), "header_sha256: expected a value, found none");
}

TEST(LockToml, NamesAreUniqueAndStayInside) {
  const std::string good = to_toml(sample_lock());
  for (const char* bad :
       {"", "/etc/passwd", "..", "../x", "a/../b", "a/..", "./a", "a//b", "a/", "a\\u0000b", "."}) {
    expect_refused(replaced(good, "model_index.json", bad), "expected a file inside the model");
  }
  EXPECT_NO_THROW((void)parse_lock(replaced(good, "model_index.json", "..a/.b"), "x"));
  expect_refused(replaced(good, "model_index.json", "transformer/w.safetensors"),
                 "expected each name once");
}

TEST(LockToml, WhatIsNotToml) {
  for (const char* bad : {"\xff", "format = ", "a = 1\na = 2", "[[file]]\n[file]", "format = 1 x",
                          "= 1", "{}", "[", "format = 99999999999999999999", "\"\"\"",
                          "a.b = 1\na = 1", "x = \"\\uD800\"", "\n\n\n]"}) {
    expect_refused(bad, "line ");
  }
  expect_refused("", "format: expected a value");
  expect_refused(std::string("format = 1\0", 11), "");
  expect_refused(std::string(kMaxLockBytes + 1, '\n'), "at most");
}

TEST(LockToml, DeepNesting) {
  for (const int depth : {1000, 100000, 4000000}) {
    expect_refused("a = " + std::string(static_cast<std::size_t>(depth), '['), "");
    std::string tables = "a = ", keys = "a";
    for (int i = 0; i < depth; ++i) tables += "{a=", keys += ".a";
    expect_refused(tables, "");
    expect_refused(keys + " = 1", "");
    expect_refused("[" + keys + "]", "");
  }
}

// Damage is either refused or leaves another well-formed lock: no crash, no other type.
TEST(LockToml, RandomMutants) {
  const std::string good = to_toml(sample_lock());
  std::mt19937 random(11);
  int refused = 0;
  for (int i = 0; i < 3000; ++i) {
    std::string text = good;
    for (int n = static_cast<int>(random() % 4); n >= 0; --n) {
      const std::size_t at = random() % text.size();
      switch (random() % 3) {
        case 0:
          text[at] = static_cast<char>(random());
          break;
        case 1:
          text.erase(at, 1 + random() % 8);
          break;
        default:
          text.insert(at, text.substr(random() % text.size(), 1 + random() % 40));
      }
    }
    try {
      const ModelLock lock = parse_lock(text, "octet.lock");
      EXPECT_EQ(parse_lock(to_toml(lock), "again"), lock);
    } catch (const Error& error) {
      ++refused;
      EXPECT_EQ(error.code(), Code::kRefused) << error.what();
    }
  }
  EXPECT_GT(refused, 1500);
}

}  // namespace
}  // namespace octet
