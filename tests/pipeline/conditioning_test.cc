#include "pipeline/conditioning.h"

#include <gtest/gtest.h>

#include "support/errors.h"
#include "support/recording_backend.h"
#include "support/tiny_pipeline.h"

namespace octet {
namespace {

constexpr Compat kAllCompats[] = {Compat::kDiffusers, Compat::kComfyUi, Compat::kReference};

class Conditioning : public testing::TestWithParam<bool> {
 protected:
  Conditioning() : models_(test::tiny_pipeline(backend_, {.t5 = GetParam()})) {}

  PromptTokens tokens(const std::string& prompt, Compat compat, int t5_length = 19) {
    warnings_.clear();
    return tokenize_prompt(models_.text, prompt, {.compat = compat, .t5_length = t5_length},
                           "prompt", warnings_);
  }
  // Encodes into a tensor of exactly the promised rows; the checked ops see every shape.
  void encode(const PromptTokens& t) {
    Arena arena(backend_.allocate(kNullArenaBytes));
    const Tensor rows = arena.tensor(DType::kF32, {1, text_rows(t), 72});
    const Tensor pooled = arena.tensor(DType::kF32, {1, 56});
    encode_prompts({backend_, arena}, models_.text, {&t, 1}, rows, pooled);
  }

  test::RecordingBackend backend_;
  Models models_;
  std::vector<std::string> warnings_;
};
INSTANTIATE_TEST_SUITE_P(T5, Conditioning, testing::Bool());

std::string many_words(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += "apple ";
  return text;
}

TEST_P(Conditioning, RowsOfAShortPrompt) {
  for (const char* prompt : {"", "a red apple", "!!!"}) {
    EXPECT_EQ(text_rows(tokens(prompt, Compat::kDiffusers)), 77 + 19);
    EXPECT_TRUE(warnings_.empty());
    EXPECT_EQ(text_rows(tokens(prompt, Compat::kComfyUi)), 77 + (GetParam() ? 19 : 0));
    if (GetParam()) {
      EXPECT_EQ(text_rows(tokens(prompt, Compat::kReference)), 77 + 19);
    }
    encode(tokens(prompt, Compat::kDiffusers));
    encode(tokens(prompt, Compat::kComfyUi));
  }
}

TEST_P(Conditioning, TheReferenceNeedsT5) {
  if (GetParam()) return;
  test::expect_error(Code::kUnsupported, "compat", [&] { (void)tokens("x", Compat::kReference); });
}

TEST_P(Conditioning, LongPrompts) {
  const std::string prompt = many_words(200);
  EXPECT_EQ(text_rows(tokens(prompt, Compat::kDiffusers)), 77 + 19);
  ASSERT_EQ(warnings_.size(), GetParam() ? 2u : 1u);
  EXPECT_TRUE(warnings_[0].starts_with("prompt: too long for CLIP")) << warnings_[0];
  EXPECT_EQ(warnings_[0].find('\n'), std::string::npos);

  const PromptTokens chunks = tokens(prompt, Compat::kComfyUi);
  EXPECT_GT(chunks.clip_l.size(), 2u);
  EXPECT_EQ(chunks.clip_l.size(), chunks.clip_g.size());
  EXPECT_TRUE(warnings_.empty()) << warnings_[0];
  const std::int64_t clip = 77 * static_cast<std::int64_t>(chunks.clip_l.size());
  if (GetParam()) {
    EXPECT_GT(text_rows(chunks), clip + 200) << "T5 is not cut";
  } else {
    EXPECT_EQ(text_rows(chunks), clip);
  }
  encode(chunks);
}

TEST_P(Conditioning, PaddingTokenInThePrompt) {
  // "!" is the padding token of the second CLIP; only diffusers finds it in prompts.
  const auto with_bang = tokens("a ! b", Compat::kDiffusers).clip_g[0].ids;
  const auto as_text = tokens("a ! b", Compat::kComfyUi).clip_g[0].ids;
  EXPECT_NE(with_bang, as_text);
}

TEST_P(Conditioning, MissingT5IsFilledWithZeros) {
  backend_.clear();
  encode(tokens("x", Compat::kDiffusers));
  const auto zero_rows =
      std::count_if(backend_.ops().begin(), backend_.ops().end(), [](const test::OpRecord& r) {
        return r.op == "fill" && r.dst.dim(1) == 19 && r.dst.dim(2) == 72;
      });
  EXPECT_EQ(zero_rows, GetParam() ? 0 : 1);
  const auto clip_columns =
      std::count_if(backend_.ops().begin(), backend_.ops().end(), [](const test::OpRecord& r) {
        return r.op == "fill" && r.dst.dim(1) == 77 && r.dst.dim(2) == 72 - 24 - 40;
      });
  EXPECT_EQ(clip_columns, 1) << "columns right of CLIP";
}

TEST_P(Conditioning, HostilePrompts) {
  for (const Compat compat : kAllCompats) {
    if (!GetParam() && compat == Compat::kReference) continue;
    test::expect_error(Code::kInvalidArgument, "prompt", [&] { (void)tokens("\xc3\x28", compat); });
    EXPECT_NO_THROW((void)tokens(std::string(20000, 'a'), compat));
    EXPECT_NO_THROW((void)tokens(std::string("a\0b", 3), compat));
  }
}

TEST_P(Conditioning, IdsBeyondTheEmbeddingAreRefused) {
  PromptTokens t = tokens("x", Compat::kDiffusers);
  for (const std::int32_t bad : {-1, static_cast<std::int32_t>(models_.text.clip_g.vocabulary())}) {
    PromptTokens damaged = t;
    damaged.clip_g[0].ids[3] = bad;
    test::expect_error(Code::kModelMismatch, "CLIP text encoder", [&] { encode(damaged); });
  }
  if (!GetParam()) return;
  t.t5[0].ids[0] = static_cast<std::int32_t>(models_.text.t5->vocabulary());
  test::expect_error(Code::kModelMismatch, "T5 text encoder", [&] { encode(t); });
}

}  // namespace
}  // namespace octet
