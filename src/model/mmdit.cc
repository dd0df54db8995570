#include "model/mmdit.h"

#include <algorithm>
#include <cmath>

#include "backend/ops_checked.h"
#include "base/check.h"

namespace octet {
namespace {

constexpr std::int64_t kTimestepChannels = 256;

struct Qkv {
  Tensor q, k, v;  // [B, tokens, H, Dh]
};

// q, k, v as views of one product [B, tokens, 3 D].
Qkv split_heads(const Tensor& qkv, std::int64_t heads) {
  const std::int64_t width = qkv.dim(2) / 3;
  const auto part = [&](std::int64_t i) {
    return reshape(slice(qkv, 2, i * width, (i + 1) * width),
                   {qkv.dim(0), qkv.dim(1), heads, width / heads});
  };
  return {.q = part(0), .k = part(1), .v = part(2)};
}

float attention_scale(const Tensor& q) { return 1.0f / std::sqrt(static_cast<float>(q.dim(3))); }

Tensor norm_q(const AttentionWeights& w) { return w.norm_q ? w.norm_q->value : Tensor{}; }

// The norm before a branch: adds what is pending to the stream and writes the branch's input.
void modulate(Ctx ctx, Stream& s, const Activation& dst, const Tensor& shift, const Tensor& scale) {
  ops::layer_norm_modulate(
      ctx, {.dst = dst, .x = s.x, .shift = shift, .scale = scale, .branches = s.pending});
  s.pending = {};
}

// The stream behind a block: its values and what the next norm adds to them.
void show(Ctx ctx, std::size_t block, const char* name, const Stream& s) {
  ctx.show("transformer_blocks.", block, name, s.x);
  for (const GatedBranch& branch : s.pending) {
    if (branch.value.data != nullptr) ctx.show("transformer_blocks.", block, name, branch.value);
  }
}

void mlp(Ctx ctx, const MlpWeights& w, Stream& s, const Modulation& m) {
  const Arena::Scope scope(ctx.arena);
  const Activation input = input_for(ctx, w.fc1, s.x.rank, s.x.dims);
  modulate(ctx, s, input, m.shift_mlp, m.scale_mlp);
  const Activation hidden = input_for(ctx, w.fc2, {s.x.dim(0), s.x.dim(1), w.fc1.out});
  ops::linear(ctx, {.dst = hidden, .x = input, .weight = &w.fc1, .act = Act::kGeluTanh});
  ops::linear(ctx, {.dst = s.branch[0], .x = hidden, .weight = &w.fc2});
  s.pending = {GatedBranch{.value = s.branch[0], .gate = m.gate_mlp}, {}};
}

}  // namespace

void JointBlock::forward(Ctx ctx, Stream& x, Stream& c, const Modulation& xm,
                         const Modulation& cm) const {
  joint_attention(ctx, x, c, xm, cm);
  mlp(ctx, image_mlp, x, xm);
  if (text_mlp) mlp(ctx, *text_mlp, c, cm);
}

void JointBlock::joint_attention(Ctx ctx, Stream& x, Stream& c, const Modulation& xm,
                                 const Modulation& cm) const {
  const Arena::Scope scope(ctx.arena);
  const std::int64_t batch = x.x.dim(0);
  const std::int64_t image_tokens = x.x.dim(1);
  const std::int64_t tokens = image_tokens + c.x.dim(1);
  const std::int64_t width = x.x.dim(2);

  const Activation image_input = input_for(ctx, image.qkv, x.x.rank, x.x.dims);
  modulate(ctx, x, image_input, xm.shift_msa, xm.scale_msa);
  Activation dual_input;
  if (dual) {  // reads the same x as the joint attention, modulated a second time
    dual_input = input_for(ctx, dual->qkv, x.x.rank, x.x.dims);
    modulate(ctx, x, dual_input, xm.shift_msa2, xm.scale_msa2);
  }
  const Activation text_input = input_for(ctx, text.qkv, c.x.rank, c.x.dims);
  modulate(ctx, c, text_input, cm.shift_msa, cm.scale_msa);

  const DType stream = ctx.backend.stream_dtype(compute);
  const Tensor qkv = ctx.arena.tensor(stream, {batch, tokens, 3 * width});
  project(ctx, image, image_input, slice(qkv, 1, 0, image_tokens));
  project(ctx, text, text_input, slice(qkv, 1, image_tokens, tokens));
  const Qkv joint = split_heads(qkv, heads);

  // One attention over both streams; their results may be wanted in different dtypes. The last
  // block leaves the text stream alone.
  const Activation image_out = input_for(ctx, *image.proj, x.x.rank, x.x.dims);
  Activation text_out;
  if (text.proj) text_out = input_for(ctx, *text.proj, c.x.rank, c.x.dims);
  ops::attention(ctx, {.dst = image_out,
                       .rest = text_out,
                       .q = text.proj ? joint.q : slice(joint.q, 1, 0, image_tokens),
                       .k = joint.k,
                       .v = joint.v,
                       .scale = attention_scale(joint.q),
                       .norm_q = {norm_q(image), norm_q(text)}});
  const auto project_out = [&](const Weight& proj, const Activation& out, Stream& s,
                               const Tensor& gate) {
    ops::linear(ctx, {.dst = s.branch[0], .x = out, .weight = &proj});
    s.pending[0] = {.value = s.branch[0], .gate = gate};
  };
  project_out(*image.proj, image_out, x, xm.gate_msa);
  if (text.proj) project_out(*text.proj, text_out, c, cm.gate_msa);
  if (dual) image_attention(ctx, dual_input, x, xm.gate_msa2);
}

void JointBlock::image_attention(Ctx ctx, const Activation& input, Stream& x,
                                 const Tensor& gate) const {
  const Tensor qkv =
      ctx.arena.tensor(ctx.backend.stream_dtype(compute), {x.x.dim(0), x.x.dim(1), 3 * x.x.dim(2)});
  project(ctx, *dual, input, qkv);
  const Qkv own = split_heads(qkv, heads);
  const Activation out = input_for(ctx, *dual->proj, x.x.rank, x.x.dims);
  ops::attention(ctx, {.dst = out,
                       .q = own.q,
                       .k = own.k,
                       .v = own.v,
                       .scale = attention_scale(own.q),
                       .norm_q = {norm_q(*dual), {}}});
  ops::linear(ctx, {.dst = x.branch[1], .x = out, .weight = &*dual->proj});
  x.pending[1] = {.value = x.branch[1], .gate = gate};
}

void JointBlock::project(Ctx ctx, const AttentionWeights& w, const Activation& input,
                         const Tensor& qkv) const {
  ops::linear(ctx, {.dst = qkv, .x = input, .weight = &w.qkv});
  if (!w.norm_k) return;
  ops::qk_norm(ctx, {.x = split_heads(qkv, heads).k, .weight = w.norm_k->value});
}

Modulation Mmdit::chunks(const Tensor& row, const ModulationLayer& layer, bool scale_first) const {
  const auto chunk = [&](std::int64_t i) {
    const std::int64_t begin = layer.offset + i * config_.width;
    return i < layer.chunks ? slice(row, 1, begin, begin + config_.width) : Tensor{};
  };
  if (scale_first) return {.shift_msa = chunk(1), .scale_msa = chunk(0)};
  return {.shift_msa = chunk(0),
          .scale_msa = chunk(1),
          .gate_msa = chunk(2),
          .shift_mlp = chunk(3),
          .scale_mlp = chunk(4),
          .gate_mlp = chunk(5),
          .shift_msa2 = chunk(6),
          .scale_msa2 = chunk(7),
          .gate_msa2 = chunk(8)};
}

void Mmdit::modulation(Ctx ctx, std::span<const ModulationRows> prompts,
                       const Tensor& timesteps) const {
  const Arena::Scope scope(ctx.arena);
  const std::int64_t rows = timesteps.dim(0);
  const auto two_layers = [&](const Weight& fc1, const Weight& fc2, const Activation& x) {
    const Tensor hidden = ctx.arena.tensor(DType::kF32, {rows, fc1.out});
    ops::linear(ctx, {.dst = hidden, .x = x, .weight = &fc1, .act = Act::kSilu});
    const Tensor out = ctx.arena.tensor(DType::kF32, {rows, fc2.out});
    ops::linear(ctx, {.dst = out, .x = as_input(ctx, fc2, hidden), .weight = &fc2});
    return out;
  };
  const Tensor waves = ctx.arena.tensor(DType::kF32, {rows, kTimestepChannels});
  ops::timestep_embedding(ctx, {.dst = waves, .timesteps = timesteps});
  const Tensor time = two_layers(time_fc1_, time_fc2_, as_input(ctx, time_fc1_, waves));
  std::vector<Tensor> conditions;
  for (const ModulationRows& p : prompts) {
    const Tensor c = two_layers(pooled_fc1_, pooled_fc2_, as_input(ctx, pooled_fc1_, p.pooled));
    ops::add(ctx, {.dst = c, .a = time, .b = c});
    ops::activation(ctx, {.dst = c, .x = c, .act = Act::kSilu});
    conditions.push_back(c);
  }

  const auto project = [&](const ModulationLayer& layer) {
    const std::int64_t end = layer.offset + layer.chunks * config_.width;
    for (std::size_t i = 0; i < prompts.size(); ++i) {
      const Arena::Scope inner(ctx.arena);
      ops::linear(ctx, {.dst = slice(prompts[i].dst, 1, layer.offset, end),
                        .x = as_input(ctx, layer.weight, conditions[i]),
                        .weight = &layer.weight});
    }
  };
  std::for_each(image_mod_.begin(), image_mod_.end(), project);
  std::for_each(text_mod_.begin(), text_mod_.end(), project);
  project(final_mod_);
}

Stream Mmdit::make_stream(Ctx ctx, std::int64_t batch, std::int64_t tokens) const {
  const auto tensor = [&] {
    return ctx.arena.tensor(stream_dtype_, {batch, tokens, config_.width});
  };
  Stream s{.x = tensor()};
  s.branch[0] = tensor();
  return s;
}

void Mmdit::embed_image(Ctx ctx, const Tensor& x, const Tensor& latents) const {
  const Arena::Scope scope(ctx.arena);
  const std::int64_t height = latents.dim(2) / config_.patch;
  const std::int64_t width = latents.dim(3) / config_.patch;
  const Tensor patches =
      ctx.arena.tensor(patch_embed_.input, {latents.dim(0), height * width, patch_embed_.in});
  ops::patchify(ctx, {.dst = patches, .src = latents, .patch = config_.patch});
  ops::linear(ctx, {.dst = x, .x = patches, .weight = &patch_embed_});
  ops::add_position_crop(ctx, {.x = x, .table = position_.value, .height = height, .width = width});
}

void Mmdit::forward(Ctx ctx, const Tensor& dst, const MmditInput& in) const {
  const Arena::Scope scope(ctx.arena);
  const std::int64_t batch = in.latents.dim(0);
  const std::int64_t tokens =
      in.latents.dim(2) * in.latents.dim(3) / (config_.patch * config_.patch);

  Stream x = make_stream(ctx, batch, tokens);
  Stream c = make_stream(ctx, batch, in.text.dim(1));
  if (std::find(config_.dual.begin(), config_.dual.end(), true) != config_.dual.end()) {
    x.branch[1] = ctx.arena.tensor(stream_dtype_, {batch, tokens, config_.width});
  }
  embed_image(ctx, x.x, in.latents);
  ops::linear(
      ctx,
      {.dst = c.x, .x = as_input(ctx, context_embedder_, in.text), .weight = &context_embedder_});

  if (ctx.observer != nullptr) {
    (*ctx.observer)("modulation", in.modulation);
    (*ctx.observer)("embedders, image", x.x);
    (*ctx.observer)("embedders, text", c.x);
  }
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    const auto skips = [&](int layer) { return layer == static_cast<int>(i); };
    if (std::any_of(in.skip_layers.begin(), in.skip_layers.end(), skips)) continue;
    const bool last = i + 1 == blocks_.size();
    blocks_[i].forward(ctx, x, c, chunks(in.modulation, image_mod_[i], false),
                       chunks(in.modulation, text_mod_[i], last));
    show(ctx, i, ", image", x);
    show(ctx, i, ", text", c);
  }

  const Modulation m = chunks(in.modulation, final_mod_, true);
  const Activation normed = input_for(ctx, proj_out_, x.x.rank, x.x.dims);
  modulate(ctx, x, normed, m.shift_msa, m.scale_msa);
  const Tensor patches = ctx.arena.tensor(stream_dtype_, {batch, tokens, proj_out_.out});
  ops::linear(ctx, {.dst = patches, .x = normed, .weight = &proj_out_});
  ops::unpatchify(ctx, {.dst = dst, .src = patches, .patch = config_.patch});
}

}  // namespace octet
