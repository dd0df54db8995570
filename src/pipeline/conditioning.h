// From text to what the MMDiT is conditioned on.
//
//   rows = [ CLIP-L | CLIP-G | zeros ]  (77 rows of text_width columns)
//          [ T5                      ]  (t5_length rows)
//   pooled = [ CLIP-L pooled | CLIP-G pooled ]
//
// Compat decides what implementations do differently: T5 length and truncation, what stands in
// for a missing T5, whether "!" in a prompt is CLIP-G's padding token, and whether a long prompt
// becomes several CLIP chunks (ComfyUI) or is cut.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "octet/request.h"
#include "pipeline/models.h"

namespace octet {

struct ConditioningOptions {
  Compat compat = Compat::kDiffusers;
  int t5_length = 256;
};

/// The token ids of one prompt.
struct PromptTokens {
  std::vector<Tokens> clip_l, clip_g;  // one row each, or several chunks
  std::vector<Tokens> t5;              // one row, none without T5
  int zero_rows = 0;                   // rows that stand in for a missing T5
};

/// `field` names the prompt in errors and warnings ("prompt", "negative prompt").
[[nodiscard]] PromptTokens tokenize_prompt(const TextModels& text, const std::string& prompt,
                                           const ConditioningOptions& options,
                                           const std::string& field,
                                           std::vector<std::string>& warnings);

/// Text rows that these tokens give.
[[nodiscard]] std::int64_t text_rows(const PromptTokens& tokens);

/// Whether every encoder sees equally many tokens, so that both prompts fit one batch.
[[nodiscard]] bool same_lengths(const PromptTokens& a, const PromptTokens& b);

/// One prompt, encoded: text FP32 [1, L, text_width], pooled FP32 [1, pooled_width].
struct EncodedPrompt {
  Tensor text, pooled;
};

/// One pass over the encoders' weights for B prompts of the same lengths. rows FP32
/// [B, text_rows, text_width], pooled FP32 [B, pooled_width], both allocated by the caller and
/// written completely.
void encode_prompts(Ctx ctx, const TextModels& text, std::span<const PromptTokens> prompts,
                    const Tensor& rows, const Tensor& pooled);

/// The same for one or two prompts, in one pass where their lengths agree; memory of ctx.arena.
[[nodiscard]] std::vector<EncodedPrompt> encode_each(Ctx ctx, const TextModels& text,
                                                     const MmditConfig& config,
                                                     std::span<const PromptTokens> prompts);

/// Error(kUnsupported) naming the layer when the encoders' numbers are not finite.
void require_finite_text(Ctx ctx, const TextModels& text, const PromptTokens& prompt,
                         const EncodedPrompt& encoded, const std::string& field);

}  // namespace octet
