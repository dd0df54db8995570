// The functions that models call: each verifies shapes, dtypes and layout against the contract in
// ops.h, then calls the backend. A violation is a bug in Octet (Error kInternal) and is found
// before any kernel runs; the null backend finds the same ones without computing.
#pragma once

#include "backend/backend.h"

namespace octet::ops {

void copy(Ctx ctx, const CopyArgs& a);
void fill(Ctx ctx, const FillArgs& a);
void to_u8(Ctx ctx, const ToU8Args& a);
void embed_tokens(Ctx ctx, const EmbedTokensArgs& a);
void timestep_embedding(Ctx ctx, const TimestepEmbeddingArgs& a);
void patchify(Ctx ctx, const PatchifyArgs& a);
void unpatchify(Ctx ctx, const UnpatchifyArgs& a);
void add_position_crop(Ctx ctx, const AddPositionCropArgs& a);
void relative_position_bias(Ctx ctx, const RelativePositionBiasArgs& a);
void quantize_fp8(Ctx ctx, const QuantizeFp8Args& a);
void linear(Ctx ctx, const LinearArgs& a);
void conv2d(Ctx ctx, const Conv2dArgs& a);
void attention(Ctx ctx, const AttentionArgs& a);
void layer_norm(Ctx ctx, const LayerNormArgs& a);
void layer_norm_modulate(Ctx ctx, const LayerNormModulateArgs& a);
void rms_norm(Ctx ctx, const RmsNormArgs& a);
void qk_norm(Ctx ctx, const QkNormArgs& a);
void group_norm(Ctx ctx, const GroupNormArgs& a);
void activation(Ctx ctx, const ActivationArgs& a);
void gated_gelu(Ctx ctx, const GatedGeluArgs& a);
void add(Ctx ctx, const AddArgs& a);
void scale_shift(Ctx ctx, const ScaleShiftArgs& a);
void linear_combination(Ctx ctx, const LinearCombinationArgs& a);

}  // namespace octet::ops
