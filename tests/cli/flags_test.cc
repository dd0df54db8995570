// The flag table and the words that are near each other.

#include "flags.h"

#include <gtest/gtest.h>

#include "flag_parser.h"
#include "octet/error.h"
#include "suggest.h"

namespace octet::cli {
namespace {

TEST(Suggest, CountsEdits) {
  EXPECT_EQ(edit_distance("", ""), 0U);
  EXPECT_EQ(edit_distance("abc", ""), 3U);
  EXPECT_EQ(edit_distance("steps", "stpes"), 1U);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
  EXPECT_EQ(edit_distance("ab", "ba"), 1U);
}

TEST(Suggest, NamesOnlyWhatIsNear) {
  const std::vector<std::string> known = {"--steps", "--seed", "--skip-start", "--skip-scale"};
  EXPECT_EQ(suggestion("--step", known), " (did you mean --steps?)");
  EXPECT_EQ(suggestion("--sede", known), " (did you mean --seed?)");
  EXPECT_EQ(suggestion("--skip", known), "") << "two flags begin like that";
  EXPECT_EQ(suggestion("--colour", known), "");
  EXPECT_EQ(suggestion("", known), "");
}

TEST(Flags, RangesIncludeTheirEnds) {
  std::optional<int> value;
  const Flag flag{.name = "--n", .value = "N", .target = &value, .range = {.low = 1, .high = 1000}};
  store(flag, "1");
  EXPECT_EQ(value, 1);
  store(flag, "1000");
  EXPECT_EQ(value, 1000);
  EXPECT_THROW(store(flag, "0"), Error);
  EXPECT_THROW(store(flag, "1001"), Error);
  EXPECT_EQ(value, 1000) << "a refused value was stored";
}

TEST(Flags, OpenRangesExcludeTheirEnd) {
  std::optional<float> value;
  const Flag flag{.name = "--x",
                  .value = "X",
                  .target = &value,
                  .range = {.low = 0, .high = 2, .above_low = true}};
  store(flag, "0.25");
  EXPECT_EQ(value, 0.25F);
  try {
    store(flag, "0");
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "--x: expected a number above 0 and at most 2, found '0'");
  }
}

TEST(Flags, LoraFilesAndTheirWeights) {
  std::vector<LoraOption> loras;
  const Flag flag{.name = "--lora",
                  .value = "FILE",
                  .target = &loras,
                  .range = {.low = -100, .high = 100},
                  .repeats = true};
  for (const char* text :
       {"a.safetensors", "b.safetensors:0.5", "c:-2", "d:e.safetensors", "f:g/h"}) {
    store(flag, text);
  }
  ASSERT_EQ(loras.size(), 5U);
  EXPECT_EQ(loras[0].path, "a.safetensors");
  EXPECT_EQ(loras[0].weight, 1);
  EXPECT_EQ(loras[1].path, "b.safetensors");
  EXPECT_EQ(loras[1].weight, 0.5F);
  EXPECT_EQ(loras[2].path, "c");
  EXPECT_EQ(loras[2].weight, -2);
  EXPECT_EQ(loras[3].path, "d:e.safetensors");
  EXPECT_EQ(loras[4].path, "f:g/h");
  EXPECT_THROW(store(flag, "a:101"), Error);
  EXPECT_THROW(store(flag, "a:1e"), Error);
  const std::vector<Flag> flags = {flag};
  const std::vector<std::string> words = {"--lora", "x", "--lora=y:2"};
  EXPECT_EQ(split_command_line(flags, words).flags.size(), 2U);
}

TEST(Flags, EveryKindOfMemberIsRead) {
  bool on = false;
  std::optional<std::uint64_t> seed;
  std::vector<int> list;
  Compat compat = Compat::kDiffusers;
  store({.name = "--on", .target = &on}, "");
  store({.name = "--seed", .value = "N", .target = &seed}, "18446744073709551615");
  store({.name = "--list", .value = "N", .target = &list}, "7");
  store({.name = "--list", .value = "N", .target = &list}, "3,-1,2");
  store({.name = "--compat", .value = "N", .target = &compat, .choices = {"a", "b", "c"}}, "b");
  EXPECT_TRUE(on);
  EXPECT_EQ(seed, 18446744073709551615U);
  EXPECT_EQ(list, (std::vector<int>{3, -1, 2})) << "a list replaces the one before";
  EXPECT_EQ(compat, Compat::kComfyUi);
}

TEST(FlagParser, SplitsAllSpellings) {
  bool on = false;
  std::string text;
  const std::vector<Flag> flags = {
      {.name = "--on", .target = &on},
      {.name = "--text", .letter = "-t", .value = "T", .target = &text}};
  const std::vector<std::string> words = {"a", "--text=b=c", "-", "--on", "--", "--on", "-t"};
  const CommandLine line = split_command_line(flags, words);
  ASSERT_EQ(line.flags.size(), 2U);
  EXPECT_EQ(line.flags[0].text, "b=c");
  EXPECT_EQ(line.flags[1].flag, &flags[0]);
  EXPECT_EQ(line.words, (std::vector<std::string>{"a", "-", "--on", "-t"}));
  EXPECT_FALSE(line.help);
  const std::vector<std::string> joined = {"-tx y", "-h"};
  EXPECT_EQ(split_command_line(flags, joined).flags.at(0).text, "x y");
  EXPECT_TRUE(split_command_line(flags, joined).help);
}

}  // namespace
}  // namespace octet::cli
