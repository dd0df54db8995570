#include "pipeline/conditioning.h"

#include <algorithm>

#include "backend/ops_checked.h"
#include "base/check.h"
#include "pipeline/finite_check.h"

namespace octet {
namespace {

void note_truncation(const Tokens& t, const char* encoder, const std::string& field,
                     std::vector<std::string>& warnings) {
  if (!t.truncated) return;
  warnings.push_back(field + ": too long for " + encoder + ", which takes " +
                     std::to_string(t.used) + " tokens; it does not see \"" + excerpt(t.dropped) +
                     "\"");
}

std::vector<Tokens> clip_rows(const ClipTokenizer& tokenizer, const std::string& prompt,
                              const ConditioningOptions& o, const std::string& field) {
  TokenizeOptions options{.match_pad = o.compat == Compat::kDiffusers, .field = field};
  if (o.compat == Compat::kComfyUi) return tokenizer.tokenize_chunks(prompt, options);
  return {tokenizer.tokenize(prompt, options)};
}

Tokens t5_row(const T5Tokenizer& tokenizer, const std::string& prompt, const ConditioningOptions& o,
              const std::string& field) {
  constexpr int kReferenceCharacters = 226;
  return tokenizer.tokenize(
      prompt, {.length = o.t5_length,
               .truncate = o.compat == Compat::kDiffusers,
               .max_characters = o.compat == Compat::kReference ? kReferenceCharacters : 0,
               .field = field});
}

// Rows of ids of equal length on the device, checked against the embedding table they index.
Tensor upload_ids(Ctx ctx, std::span<const Tokens* const> prompts, std::int64_t vocabulary,
                  const char* encoder) {
  std::vector<std::int32_t> all;
  for (const Tokens* tokens : prompts)
    all.insert(all.end(), tokens->ids.begin(), tokens->ids.end());
  for (const std::int32_t id : all) {
    if (id >= 0 && id < vocabulary) continue;
    throw Error(Code::kModelMismatch,
                format("%s: expected token ids below %lld (rows of its embedding), found %d",
                       encoder, static_cast<long long>(vocabulary), id));
  }
  const auto batch = static_cast<std::int64_t>(prompts.size());
  const Tensor ids =
      ctx.arena.tensor(DType::kI32, {batch, static_cast<std::int64_t>(all.size()) / batch});
  ctx.backend.upload(ids, std::as_bytes(std::span(all)));
  return ids;
}

struct ClipTarget {
  Tensor rows;    // [B, L, width], a slice of the conditioning
  Tensor pooled;  // [B, width]
};

void encode_clip(Ctx ctx, const ClipTextEncoder& encoder, std::int32_t eos,
                 std::span<const Tokens* const> prompts, const ClipTarget& target) {
  const Arena::Scope scope(ctx.arena);
  const Tensor ids = upload_ids(ctx, prompts, encoder.vocabulary(), "CLIP text encoder");
  std::vector<std::int64_t> ends;
  for (const Tokens* tokens : prompts) {
    const auto end = std::find(tokens->ids.begin(), tokens->ids.end(), eos) - tokens->ids.begin();
    ends.push_back(std::min<std::int64_t>(end, ids.dim(1) - 1));
  }
  encoder.forward(ctx, target.rows, target.pooled, ids, ends);
}

// One encoder's columns of the CLIP rows: chunk after chunk; pooled comes from the first.
void encode_clip_chunks(Ctx ctx, const ClipTextEncoder& encoder, std::int32_t eos,
                        std::span<const std::vector<Tokens>* const> prompts,
                        const ClipTarget& target) {
  std::int64_t begin = 0;
  for (std::size_t chunk = 0; chunk < prompts.front()->size(); ++chunk) {
    const Arena::Scope scope(ctx.arena);
    std::vector<const Tokens*> rows;
    for (const std::vector<Tokens>* chunks : prompts) rows.push_back(&(*chunks)[chunk]);
    const auto length = static_cast<std::int64_t>(rows.front()->ids.size());
    const Tensor pooled =
        chunk == 0 ? target.pooled
                   : ctx.arena.tensor(DType::kF32, {target.pooled.dim(0), target.pooled.dim(1)});
    encode_clip(ctx, encoder, eos, rows,
                {.rows = slice(target.rows, 1, begin, begin + length), .pooled = pooled});
    begin += length;
  }
}

std::int64_t clip_row_count(const PromptTokens& t) {
  std::int64_t rows = 0;
  for (const Tokens& chunk : t.clip_l) rows += static_cast<std::int64_t>(chunk.ids.size());
  return rows;
}

}  // namespace

PromptTokens tokenize_prompt(const TextModels& text, const std::string& prompt,
                             const ConditioningOptions& o, const std::string& field,
                             std::vector<std::string>& warnings) {
  PromptTokens t;
  t.clip_l = clip_rows(text.clip_l_tokenizer, prompt, o, field);
  t.clip_g = clip_rows(text.clip_g_tokenizer, prompt, o, field);
  // L and G stand side by side, so the shorter count decides.
  const std::size_t chunks = std::min(t.clip_l.size(), t.clip_g.size());
  t.clip_l.resize(chunks);
  t.clip_g.resize(chunks);
  note_truncation(t.clip_l[0], "CLIP", field, warnings);
  if (text.t5) {
    t.t5.push_back(t5_row(*text.t5_tokenizer, prompt, o, field));
    note_truncation(t.t5[0], "T5", field, warnings);
  } else if (o.compat == Compat::kDiffusers) {
    t.zero_rows = o.t5_length;
  } else if (o.compat == Compat::kReference) {
    throw Error(Code::kUnsupported,
                "compat: the reference needs the T5 encoder, which this model does not have");
  }
  return t;
}

std::int64_t text_rows(const PromptTokens& t) {
  const std::int64_t t5 = t.t5.empty() ? 0 : static_cast<std::int64_t>(t.t5[0].ids.size());
  return clip_row_count(t) + t5 + t.zero_rows;
}

bool same_lengths(const PromptTokens& a, const PromptTokens& b) {
  const auto equal = [](const std::vector<Tokens>& x, const std::vector<Tokens>& y) {
    return std::equal(x.begin(), x.end(), y.begin(), y.end(), [](const Tokens& s, const Tokens& t) {
      return s.ids.size() == t.ids.size();
    });
  };
  return equal(a.clip_l, b.clip_l) && equal(a.clip_g, b.clip_g) && equal(a.t5, b.t5) &&
         a.zero_rows == b.zero_rows;
}

void encode_prompts(Ctx ctx, const TextModels& text, std::span<const PromptTokens> prompts,
                    const Tensor& rows, const Tensor& pooled) {
  std::vector<const std::vector<Tokens>*> chunks_l, chunks_g;
  std::vector<const Tokens*> t5;
  for (const PromptTokens& p : prompts) {
    OCTET_CHECK(same_lengths(p, prompts.front()), "prompts of different lengths in one batch");
    chunks_l.push_back(&p.clip_l);
    chunks_g.push_back(&p.clip_g);
    if (!p.t5.empty()) t5.push_back(p.t5.data());
  }
  const std::int64_t clip_rows = clip_row_count(prompts.front());
  const std::int64_t l = text.clip_l.width();
  const std::int64_t g = text.clip_g.width();
  const std::int64_t pooled_l = text.clip_l.pooled_width();
  const Tensor clip = slice(rows, 1, 0, clip_rows);
  encode_clip_chunks(ctx, text.clip_l, text.clip_l_tokenizer.eos_id(), chunks_l,
                     {.rows = slice(clip, 2, 0, l), .pooled = slice(pooled, 1, 0, pooled_l)});
  encode_clip_chunks(
      ctx, text.clip_g, text.clip_g_tokenizer.eos_id(), chunks_g,
      {.rows = slice(clip, 2, l, l + g), .pooled = slice(pooled, 1, pooled_l, pooled.dim(1))});
  if (l + g < rows.dim(2)) ops::fill(ctx, {.dst = slice(clip, 2, l + g, rows.dim(2))});

  const Tensor rest = slice(rows, 1, clip_rows, rows.dim(1));
  if (t5.empty()) {
    if (rest.dim(1) > 0) ops::fill(ctx, {.dst = rest});
    return;
  }
  const Arena::Scope scope(ctx.arena);
  const Tensor ids = upload_ids(ctx, t5, text.t5->vocabulary(), "T5 text encoder");
  text.t5->forward(ctx, rest, ids);
}

std::vector<EncodedPrompt> encode_each(Ctx ctx, const TextModels& text, const MmditConfig& config,
                                       std::span<const PromptTokens> prompts) {
  const auto count = static_cast<std::int64_t>(prompts.size());
  if (count == 2 && !same_lengths(prompts[0], prompts[1])) {
    return {encode_each(ctx, text, config, prompts.first(1)).front(),
            encode_each(ctx, text, config, prompts.last(1)).front()};
  }
  const EncodedPrompt all{
      .text = ctx.arena.tensor(DType::kF32, {count, text_rows(prompts[0]), config.text_width}),
      .pooled = ctx.arena.tensor(DType::kF32, {count, config.pooled_width})};
  encode_prompts(ctx, text, prompts, all.text, all.pooled);
  std::vector<EncodedPrompt> each;
  for (std::int64_t i = 0; i < count; ++i) {
    each.push_back(
        {.text = slice(all.text, 0, i, i + 1), .pooled = slice(all.pooled, 0, i, i + 1)});
  }
  return each;
}

void require_finite_text(Ctx ctx, const TextModels& text, const PromptTokens& prompt,
                         const EncodedPrompt& encoded, const std::string& field) {
  require_finite(ctx, {encoded.text, encoded.pooled}, "text encoders, " + field, [&](Ctx again) {
    encode_prompts(again, text, {&prompt, 1}, encoded.text, encoded.pooled);
  });
}

}  // namespace octet
