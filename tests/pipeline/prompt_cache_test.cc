#include "pipeline/prompt_cache.h"

#include <gtest/gtest.h>

#include <random>

namespace octet {
namespace {

PromptValues values(float v, std::size_t count = 100) {
  return {.text = std::vector<float>(count, v), .pooled = {v}};
}

TEST(PromptCache, KeepsWhatWasUsedLast) {
  PromptCache cache(1500);  // two of them
  cache.put({.text = "a"}, values(1));
  cache.put({.text = "b"}, values(2));
  ASSERT_EQ(cache.size(), 2u);
  ASSERT_NE(cache.find({.text = "a"}), nullptr);
  cache.put({.text = "c"}, values(3));
  EXPECT_EQ(cache.find({.text = "b"}), nullptr);
  ASSERT_NE(cache.find({.text = "a"}), nullptr);
  EXPECT_EQ(cache.find({.text = "a"})->text, values(1).text);
  EXPECT_EQ(cache.find({.text = "c"})->pooled, values(3).pooled);
}

TEST(PromptCache, EveryPartOfTheKeyCounts) {
  PromptCache cache(1 << 20);
  cache.put({.text = "a", .t5_length = 77, .compat = Compat::kComfyUi}, values(1));
  EXPECT_EQ(cache.find({.text = "b", .t5_length = 77, .compat = Compat::kComfyUi}), nullptr);
  EXPECT_EQ(cache.find({.text = "a", .t5_length = 78, .compat = Compat::kComfyUi}), nullptr);
  EXPECT_EQ(cache.find({.text = "a", .t5_length = 77}), nullptr);
  EXPECT_NE(cache.find({.text = "a", .t5_length = 77, .compat = Compat::kComfyUi}), nullptr);
}

TEST(PromptCache, WhatIsLargerThanAllIsNotKept) {
  PromptCache none(0), small(1500);
  none.put({.text = "a"}, values(1));
  EXPECT_EQ(none.find({.text = "a"}), nullptr);
  small.put({.text = "a"}, values(1));
  small.put({.text = "b"}, values(2, 1000));
  EXPECT_EQ(small.find({.text = "b"}), nullptr);
  EXPECT_NE(small.find({.text = "a"}), nullptr) << "nor does it push others out";
  small.put({.text = "a"}, values(2, 1000));
  EXPECT_EQ(small.size(), 0u) << "the old values of this key are gone";
  EXPECT_EQ(small.bytes(), 0u);
}

TEST(PromptCache, NeverMoreBytesThanGiven) {
  std::mt19937 random(7);
  PromptCache cache(10'000);
  for (int i = 0; i < 2000; ++i) {
    const std::string text(random() % 40, static_cast<char>('a' + random() % 9));
    const std::size_t count = random() % 700;
    if (const PromptValues* found = cache.find({.text = text})) {
      EXPECT_EQ(found->pooled[0], static_cast<float>(text.size()));
    }
    cache.put({.text = text}, values(static_cast<float>(text.size()), count));
    ASSERT_LE(cache.bytes(), 10'000u);
  }
  EXPECT_GT(cache.size(), 2u);
}

}  // namespace
}  // namespace octet
