// The op set: the contract between models and backends.
//
// Inputs are views, the output comes first. A backend may decompose an op but may not change its
// meaning. Model code calls the checked functions of ops_checked.h, which verify shapes, dtypes
// and layout; the virtual functions here may rely on that.
//
// Letters: B batch rows, L or S tokens, C or D channels, H heads, K input and N output width.
//
// Precision. The destination decides: an op whose dst is an Activation writes FP8 codes and their
// scale when dst.data is FP8 (scale kind below), else FP32 or BF16 rounded to nearest even. Models
// ask Backend for dst dtypes (see model/layers.h) and so contain no FP8 branch. Statistics, norms,
// softmax and accumulation are FP32.
//
// Determinism. The result of a row depends on neither the number of threads nor the other rows of
// the batch: every accumulation has a fixed order.
//
// Aliasing: dst may alias an input only where stated.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "backend/weight.h"
#include "tensor/tensor.h"

namespace octet {

/// The input of a linear layer. data FP32 or BF16: `scale` is empty. data FP8 (E4M3, rank >= 2):
/// true value = code * scale, with scale FP32 of rank 0 (static: given to the op that writes the
/// codes) or of data's dims without the last (dynamic, one per token: that op writes
/// max(amax, tiny)/448 there). The rank alone tells them apart, also where there is but one row.
struct Activation {
  Tensor data;
  Tensor scale;
  Activation() = default;
  Activation(const Tensor& t) : data(t) {}  // NOLINT: a plain tensor is an activation
  Activation(const Tensor& t, const Tensor& s) : data(t), scale(s) {}
};

enum class Act : std::uint8_t { kNone, kSilu, kGeluTanh, kGeluErf, kQuickGelu };
enum class Rounding : std::uint8_t { kNearest, kTruncate };

// ---- move ----------------------------------------------------------------------------------

/// dst = src, converting between float dtypes; or I32/U8 to the same. Both views may have any
/// strides (this is the permute op), dims equal.
struct CopyArgs {
  Tensor dst, src;
};
/// dst = value. dst: any float dtype, strided.
struct FillArgs {
  Tensor dst;
  float value = 0;
};
/// Picture to bytes. dst U8, src FP32 or BF16 in [-1, 1], same dims, dense:
/// clamp((src+1)/2, 0, 1)*255, rounded (diffusers) or truncated (Stability, ComfyUI).
struct ToU8Args {
  Tensor dst, src;
  Rounding rounding = Rounding::kNearest;
};

// ---- layout, embedding ---------------------------------------------------------------------

/// dst[b,l,:] = table[ids[b,l],:] (+ positions[l,:]). dst FP32/BF16 [B,L,D]; ids I32 [B,L], every
/// id checked to lie in [0, V) by the caller (text encoders do); table [V,D], positions [P,D] any
/// float dtype, P >= L, optional.
struct EmbedTokensArgs {
  Tensor dst, ids, table, positions;
};
/// Sinusoid of a timestep (= 1000 sigma): dst FP32/BF16 [R, C], timesteps FP32 [R].
/// half = C/2, f_k = exp(-ln(10000) k/half); dst = [cos(t f), sin(t f)]. (DDPM, arXiv 2006.11239)
struct TimestepEmbeddingArgs {
  Tensor dst, timesteps;
};
/// Latents to patches: dst FP32/BF16 [B, (H/p)(W/p), C p p], src FP32 [B,C,H,W]. Tokens row-major;
/// inside a patch channel-major: c*p*p + py*p + px (the order of a convolution weight).
struct PatchifyArgs {
  Tensor dst, src;
  std::int64_t patch = 2;
};
/// Patches to latents: dst FP32 [B,C,H,W], src [B, (H/p)(W/p), p p C], inside a patch
/// (py*p + px)*C + c: channel fastest, unlike patchify.
struct UnpatchifyArgs {
  Tensor dst, src;
  std::int64_t patch = 2;
};
/// x[b, i*w + j, :] += table[(P-h)/2 + i, (P-w)/2 + j, :]. x [B, h*w, D] FP32/BF16;
/// table [P, P, D] any float dtype; h, w <= P.
struct AddPositionCropArgs {
  Tensor x, table;
  std::int64_t height = 0, width = 0;
};
/// T5 relative position bias, bidirectional: dst FP32 [H, L, L], dst[h,q,k] =
/// table[bucket(k - q), h], table [buckets, H]. With n = buckets/2 per sign (positive adds n),
/// |r| < n/2 exact, else n/2 + floor(ln(|r|/(n/2)) / ln(max_distance/(n/2)) * n/2), at most n-1.
/// (arXiv 1910.10683)
struct RelativePositionBiasArgs {
  Tensor dst, table;
  std::int64_t max_distance = 128;
};

// ---- matmul --------------------------------------------------------------------------------

/// dst FP8 + scale, src FP32/BF16 of the same dims. Dynamic: one scale per row, computed here;
/// static: dst.scale has rank 0, already filled. Rounds to nearest even, saturates.
struct QuantizeFp8Args {
  Activation dst;
  Tensor src;
};
/// dst = act(x W^T * scales + bias) (+ residual). x [B,L,K] or [R,K] in weight->input dtype, dst
/// [..., N], residual like dst, FP32/BF16; rows may be strided, the last dim dense.
/// residual may alias dst.data when dst is not FP8.
struct LinearArgs {
  Activation dst, x;
  const Weight* weight = nullptr;
  Act act = Act::kNone;
  Tensor residual;
};
/// dst = conv(x) + bias (+ residual). NHWC: x [B,H,W,I] in weight->input dtype, dst [B,Ho,Wo,O].
/// Zero padding: `pad_before` on top and left, `pad_after` on bottom and right. `upsample`:
/// x is first enlarged twofold by nearest neighbour. Ho = (H' + before + after - k)/stride + 1.
/// residual like dst, may alias it.
struct Conv2dArgs {
  Tensor dst, x;
  const Weight* weight = nullptr;
  std::int64_t stride = 1, pad_before = 0, pad_after = 0;
  bool upsample = false;
  Tensor residual;
};
/// dst[b,s,h*Dh..] = softmax(q k^T * scale + bias + causal mask) v. q [B,Sq,H,Dh], k and v
/// [B,Sk,H,Dh] FP32/BF16 views (heads and tokens strided, last dim dense), bias FP32 [H,Sq,Sk]
/// optional; dst [B,Sq,H*Dh], tokens may be strided. With `rest` [B,Sr,H*Dh] the last Sr queries go
/// there and dst takes only the first Sq-Sr: one attention over a joint sequence whose two streams
/// want their results in tensors (or dtypes, or scales) of their own. Neither causal nor bias then.
/// The scale of an FP8 row may be of the largest |v| of its element of the batch instead of the
/// row's own largest result, which is never above it: E4M3 is as exact far below its largest code.
/// With `norm_q`, FP32 [Dh], the queries are RMS-normalised per head first, those of dst by the
/// first and those of rest by the second, as qk_norm does it with its eps. What q holds behind that
/// is left open: a backend may normalise it in place.
struct AttentionArgs {
  Activation dst;
  Activation rest;
  Tensor q, k, v;
  float scale = 1;
  bool causal = false;
  Tensor bias;
  std::array<Tensor, 2> norm_q{};
};

// ---- norms ---------------------------------------------------------------------------------

/// dst = (x-mean)/sqrt(var+eps) * weight + bias over the last dim. x FP32/BF16 [..,C].
struct LayerNormArgs {
  Activation dst;
  Tensor x, weight, bias;
  float eps = 1e-5f;
};
/// A branch whose product with its gate is still to be added to a residual stream.
/// value [B,L,C] FP32/BF16, gate [B,C] FP32 (rows may be strided).
struct GatedBranch {
  Tensor value, gate;
};
/// x += sum of gate*value over the given branches (x is updated in place), then
/// dst = (1+scale) * (x-mean)/sqrt(var+eps) + shift. x [B,L,C] FP32/BF16; shift, scale FP32 [B,C]
/// views (rows may be strided). dst.data empty: only the update of x. (adaLN-Zero, arXiv
/// 2212.09748; SD3, arXiv 2403.03206)
struct LayerNormModulateArgs {
  Activation dst;
  Tensor x, shift, scale;
  std::array<GatedBranch, 2> branches{};  // unused ones are empty
  float eps = 1e-6f;
};
/// dst = x / sqrt(mean(x^2)+eps) * weight over the last dim. (arXiv 1910.07467)
struct RmsNormArgs {
  Activation dst;
  Tensor x, weight;
  float eps = 1e-6f;
};
/// In place RMS norm of every head: x [B,L,H,Dh] strided view, weight FP32 [Dh].
struct QkNormArgs {
  Tensor x, weight;
  float eps = 1e-6f;
};
/// Group norm over [H,W,C/groups], then SiLU if asked. dst, x [B,H,W,C] dense; weight, bias [C].
/// dst may alias x where both have the same dtype.
struct GroupNormArgs {
  Tensor dst, x, weight, bias;
  std::int64_t groups = 32;
  float eps = 1e-6f;
  bool silu = false;
};

// ---- pointwise -----------------------------------------------------------------------------

/// dst = act(x); same dims; may alias.
struct ActivationArgs {
  Activation dst;
  Tensor x;
  Act act = Act::kSilu;
};
/// dst = gelu_tanh(gate) * up; same dims, rows may be strided.
struct GatedGeluArgs {
  Activation dst;
  Tensor gate, up;
};
/// dst = a + b; same dims; dst may alias either.
struct AddArgs {
  Tensor dst, a, b;
};
/// dst = x * scale + shift, one scale and shift for all; may alias.
struct ScaleShiftArgs {
  Tensor dst, x;
  float scale = 1, shift = 0;
};
/// dst[b,..] = sum over terms of coefficient[b] * x[b,..], FP32, at most three terms, dense; dst
/// may alias any x. Carries CFG, skip-layer guidance, Euler and DPM-Solver++ steps.
struct LinearTerm {
  Tensor x;
  std::span<const float> coefficient;
};
struct LinearCombinationArgs {
  Tensor dst;
  std::array<LinearTerm, 3> terms{};
};

class Ops {
 public:
  virtual ~Ops() = default;
  virtual void copy(const CopyArgs&) = 0;
  virtual void fill(const FillArgs&) = 0;
  virtual void to_u8(const ToU8Args&) = 0;
  virtual void embed_tokens(const EmbedTokensArgs&) = 0;
  virtual void timestep_embedding(const TimestepEmbeddingArgs&) = 0;
  virtual void patchify(const PatchifyArgs&) = 0;
  virtual void unpatchify(const UnpatchifyArgs&) = 0;
  virtual void add_position_crop(const AddPositionCropArgs&) = 0;
  virtual void relative_position_bias(const RelativePositionBiasArgs&) = 0;
  virtual void quantize_fp8(const QuantizeFp8Args&) = 0;
  virtual void linear(const LinearArgs&) = 0;
  virtual void conv2d(const Conv2dArgs&) = 0;
  virtual void attention(const AttentionArgs&) = 0;
  virtual void layer_norm(const LayerNormArgs&) = 0;
  virtual void layer_norm_modulate(const LayerNormModulateArgs&) = 0;
  virtual void rms_norm(const RmsNormArgs&) = 0;
  virtual void qk_norm(const QkNormArgs&) = 0;
  virtual void group_norm(const GroupNormArgs&) = 0;
  virtual void activation(const ActivationArgs&) = 0;
  virtual void gated_gelu(const GatedGeluArgs&) = 0;
  virtual void add(const AddArgs&) = 0;
  virtual void scale_shift(const ScaleShiftArgs&) = 0;
  virtual void linear_combination(const LinearCombinationArgs&) = 0;
};

/// For a backend whose attention has no form of its own for norm_q: normalises q in place by `ops`
/// and returns the arguments that are left.
[[nodiscard]] AttentionArgs with_normalised_queries(Ops& ops, const AttentionArgs& args);

}  // namespace octet
