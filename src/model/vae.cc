#include "model/vae.h"

#include <algorithm>
#include <cmath>

#include "backend/ops_checked.h"

namespace octet {
namespace {

constexpr float kNormEps = 1e-6f;

/// Elements of the two buffers that the stages of a coder write in turn.
using PoolSizes = std::array<std::int64_t, 2>;

/// Those buffers: a picture never needs more than two neighbouring stages and what one of them
/// needs besides.
class PingPong {
 public:
  PingPong(Ctx ctx, DType dtype, const PoolSizes& sizes) {
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      buffers_[i] = ctx.arena.tensor(dtype, {sizes[i]});
    }
  }
  [[nodiscard]] Tensor next(std::int64_t b, std::int64_t h, std::int64_t w, std::int64_t c) {
    current_ ^= 1;
    return make_tensor(buffers_[current_].data, buffers_[current_].dtype, {b, h, w, c});
  }
  [[nodiscard]] Tensor next_like(const Tensor& x, std::int64_t channels) {
    return next(x.dim(0), x.dim(1), x.dim(2), channels);
  }

 private:
  std::array<Tensor, 2> buffers_;
  std::size_t current_ = 0;
};

/// One direction of the VAE, bound to a context for the length of a run.
struct Run {
  Ctx ctx;
  const VaeCoder& coder;
  std::int64_t groups;
  bool up;
  DType stream;

  /// In `place`, which may be x, if that has the dtype that is wanted.
  [[nodiscard]] Tensor norm(const NormWeights& w, const Tensor& x, DType dtype, bool silu,
                            const Tensor& place = {}) const;
  [[nodiscard]] Tensor resnet(const VaeResnet& r, const Tensor& x, PingPong& pool) const;
  void attention(const VaeAttention& a, const Tensor& x) const;
  [[nodiscard]] Tensor middle(Tensor x, PingPong& pool) const;
  [[nodiscard]] Tensor level(const VaeLevel& l, Tensor x, PingPong& pool) const;
  [[nodiscard]] PoolSizes pool_sizes(std::int64_t batch, std::int64_t h, std::int64_t w) const;
  void operator()(const Tensor& dst, const Activation& input) const;
};

Tensor Run::norm(const NormWeights& w, const Tensor& x, DType dtype, bool silu,
                 const Tensor& place) const {
  const bool fits = place && place.dtype == dtype;
  const Tensor dst = fits ? place : ctx.arena.tensor(dtype, x.rank, x.dims);
  ops::group_norm(ctx, {.dst = dst,
                        .x = x,
                        .weight = w.weight.value,
                        .bias = w.bias.value,
                        .groups = groups,
                        .eps = kNormEps,
                        .silu = silu});
  return dst;
}

// The last stages are as large as the picture, with hundreds of channels: norms are written over
// what nobody reads again. x is overwritten where the shortcut has taken from it what it needs.
Tensor Run::resnet(const VaeResnet& r, const Tensor& x, PingPong& pool) const {
  const Tensor dst = pool.next_like(x, r.conv2.out);
  const Arena::Scope scope(ctx.arena);
  if (r.shortcut) {
    const Arena::Scope input(ctx.arena);
    ops::conv2d(ctx, {.dst = dst, .x = as_input(ctx, *r.shortcut, x).data, .weight = &*r.shortcut});
  }
  const Tensor h = ctx.arena.tensor(stream, dst.rank, dst.dims);
  {
    const Arena::Scope input(ctx.arena);
    ops::conv2d(ctx, {.dst = h,
                      .x = norm(r.norm1, x, r.conv1.input, true, r.shortcut ? x : dst),
                      .weight = &r.conv1,
                      .pad_before = 1,
                      .pad_after = 1});
  }
  ops::conv2d(ctx, {.dst = dst,
                    .x = norm(r.norm2, h, r.conv2.input, true, h),
                    .weight = &r.conv2,
                    .pad_before = 1,
                    .pad_after = 1,
                    .residual = r.shortcut ? dst : x});
  return dst;
}

void Run::attention(const VaeAttention& a, const Tensor& x) const {
  const Arena::Scope scope(ctx.arena);
  const std::int64_t batch = x.dim(0);
  const std::int64_t tokens = x.dim(1) * x.dim(2);
  const std::int64_t width = x.dim(3);
  const Tensor normed = reshape(norm(a.norm, x, a.qkv.input, false), {batch, tokens, width});
  const Tensor qkv = ctx.arena.tensor(stream, {batch, tokens, 3 * width});
  ops::linear(ctx, {.dst = qkv, .x = normed, .weight = &a.qkv});
  const auto part = [&](std::int64_t i) {  // a single head
    return reshape(slice(qkv, 2, i * width, (i + 1) * width), {batch, tokens, 1, width});
  };
  const Activation attended = input_for(ctx, a.out, {batch, tokens, width});
  ops::attention(ctx, {.dst = attended,
                       .q = part(0),
                       .k = part(1),
                       .v = part(2),
                       .scale = 1.0f / std::sqrt(static_cast<float>(width))});
  const Tensor rows = reshape(x, {batch, tokens, width});
  ops::linear(ctx, {.dst = rows, .x = attended, .weight = &a.out, .residual = rows});
}

Tensor Run::middle(Tensor x, PingPong& pool) const {
  x = resnet(coder.mid1, x, pool);
  if (coder.mid_attention) attention(*coder.mid_attention, x);
  return resnet(coder.mid2, x, pool);
}

Tensor Run::level(const VaeLevel& l, Tensor x, PingPong& pool) const {
  for (const VaeResnet& r : l.resnets) x = resnet(r, x, pool);
  if (!l.resample) return x;
  const Tensor dst = up ? pool.next(x.dim(0), 2 * x.dim(1), 2 * x.dim(2), l.resample->out)
                        : pool.next(x.dim(0), x.dim(1) / 2, x.dim(2) / 2, l.resample->out);
  const Arena::Scope scope(ctx.arena);
  const Tensor input = as_input(ctx, *l.resample, x).data;
  if (up) {
    ops::conv2d(ctx, {.dst = dst,
                      .x = input,
                      .weight = &*l.resample,
                      .pad_before = 1,
                      .pad_after = 1,
                      .upsample = true});
  } else {  // padded on the right and below only, as it was trained
    ops::conv2d(ctx, {.dst = dst, .x = input, .weight = &*l.resample, .stride = 2, .pad_after = 1});
  }
  return dst;
}

// The stages in the order in which operator() runs them.
PoolSizes Run::pool_sizes(std::int64_t batch, std::int64_t h, std::int64_t w) const {
  PoolSizes most{};
  std::size_t turn = 0;
  const auto stage = [&](const Weight& last) {
    turn ^= 1;
    most[turn] = std::max(most[turn], batch * h * w * last.out);
  };
  const auto middle_stages = [&] {
    stage(coder.mid1.conv2);
    stage(coder.mid2.conv2);
  };
  stage(coder.conv_in);
  if (up) middle_stages();
  for (const VaeLevel& l : coder.levels) {
    for (const VaeResnet& r : l.resnets) stage(r.conv2);
    if (!l.resample) continue;
    h = up ? 2 * h : h / 2;
    w = up ? 2 * w : w / 2;
    stage(*l.resample);
  }
  if (!up) middle_stages();
  return most;
}

void Run::operator()(const Tensor& dst, const Activation& input) const {
  PingPong pool(ctx, stream, pool_sizes(input.data.dim(0), input.data.dim(1), input.data.dim(2)));
  Tensor x = pool.next_like(input.data, coder.conv_in.out);
  ops::conv2d(
      ctx, {.dst = x, .x = input.data, .weight = &coder.conv_in, .pad_before = 1, .pad_after = 1});
  if (up) x = middle(x, pool);
  for (std::size_t i = 0; i < coder.levels.size(); ++i) {
    x = level(coder.levels[i], x, pool);
    ctx.show(up ? "decoder.up_blocks." : "encoder.down_blocks.", i, "", x);
  }
  if (!up) x = middle(x, pool);
  ops::conv2d(ctx, {.dst = dst,
                    .x = norm(coder.norm_out, x, coder.conv_out.input, true, x),
                    .weight = &coder.conv_out,
                    .pad_before = 1,
                    .pad_after = 1});
}

}  // namespace

void Vae::decode(Ctx ctx, const Tensor& dst, const Tensor& latents) const {
  const Arena::Scope scope(ctx.arena);
  const Tensor z = ctx.arena.tensor(DType::kF32, latents.rank, latents.dims);
  ops::scale_shift(ctx, {.dst = z,
                         .x = latents,
                         .scale = 1.0f / options_.scaling_factor,
                         .shift = options_.shift_factor});
  const Tensor nhwc = permute(z, {0, 2, 3, 1});
  const Activation input = input_for(ctx, decoder_.conv_in, nhwc.rank, nhwc.dims);
  ops::copy(ctx, {.dst = input.data, .src = nhwc});
  Run{ctx, decoder_, options_.norm_groups, true, stream_dtype_}(dst, input);
}

void Vae::encode(Ctx ctx, const Tensor& moments, const Tensor& picture) const {
  const Arena::Scope scope(ctx.arena);
  const Activation input = as_input(ctx, encoder_.conv_in, picture);
  Run{ctx, encoder_, options_.norm_groups, false, stream_dtype_}(moments, input);
}

}  // namespace octet
