#include "model/t5.h"

#include "backend/ops_checked.h"
#include "base/check.h"

namespace octet {
namespace {

std::vector<std::int64_t> matrix_dims(const WeightReader& w, const std::string& name) {
  const auto dims = w.dims(name);
  if (dims.size() != 2) {
    throw Error(
        Code::kModelMismatch,
        format("T5 encoder: tensor \"%s\": expected rank 2, found %zu", name.c_str(), dims.size()));
  }
  return dims;
}

}  // namespace

T5Encoder::T5Encoder(const Loader& load, const T5Options& options)
    : options_(options), compute_(load.compute) {
  WeightReader& w = load.weights;
  // Either key may be there alone; when both are, the second is a duplicate.
  const std::string shared =
      w.has("shared.weight") ? "shared.weight" : "encoder.embed_tokens.weight";
  const auto table = matrix_dims(w, shared);
  vocabulary_ = table[0];
  width_ = table[1];
  tokens_ = load.table(shared, {vocabulary_, width_});
  const std::string bias = "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight";
  const auto buckets = matrix_dims(w, bias);
  heads_ = buckets[1];
  bias_table_ = load.table(bias, buckets);
  const int count = w.count("encoder.block.");
  for (int i = 0; i < count; ++i) load_layer(load, "encoder.block." + std::to_string(i) + ".");
  final_norm_ = load.vector("encoder.final_layer_norm.weight", width_);
}

void T5Encoder::load_layer(const Loader& load, const std::string& name) {
  const std::string attn = name + "layer.0.SelfAttention.";
  const std::string ff = name + "layer.1.DenseReluDense.";
  const std::int64_t inner = matrix_dims(load.weights, attn + "q.weight")[0];
  const std::int64_t hidden = matrix_dims(load.weights, ff + "wi_0.weight")[0];
  if (heads_ < 1 || inner % heads_ != 0) {
    throw Error(
        Code::kModelMismatch,
        format("T5 encoder: tensor \"%sq.weight\": expected a multiple of %lld heads, found %lld",
               attn.c_str(), static_cast<long long>(heads_), static_cast<long long>(inner)));
  }
  Layer layer;
  layer.norm1 = load.vector(name + "layer.0.layer_norm.weight", width_);
  layer.norm2 = load.vector(name + "layer.1.layer_norm.weight", width_);
  layer.qkv = load.stacked({attn + "q", attn + "k", attn + "v"}, inner, width_, false);
  layer.out = load.linear(attn + "o", width_, inner, false);
  layer.wi = load.stacked({ff + "wi_0", ff + "wi_1"}, hidden, width_, false);
  layer.wo = load.linear(ff + "wo", width_, hidden, false);
  layers_.push_back(std::move(layer));
}

void T5Encoder::attend(Ctx ctx, const Layer& layer, const Tensor& x, const Tensor& bias) const {
  const Arena::Scope scope(ctx.arena);
  const std::int64_t inner = layer.out.in;
  const Activation input = input_for(ctx, layer.qkv, x.rank, x.dims);
  ops::rms_norm(ctx, {.dst = input, .x = x, .weight = layer.norm1.value, .eps = options_.eps});
  const Tensor qkv =
      ctx.arena.tensor(ctx.backend.stream_dtype(compute_), {x.dim(0), x.dim(1), 3 * inner});
  ops::linear(ctx, {.dst = qkv, .x = input, .weight = &layer.qkv});
  const auto part = [&](std::int64_t i) {
    return reshape(slice(qkv, 2, i * inner, (i + 1) * inner),
                   {x.dim(0), x.dim(1), heads_, inner / heads_});
  };
  const Activation attended = input_for(ctx, layer.out, {x.dim(0), x.dim(1), inner});
  ops::attention(
      ctx,
      {.dst = attended, .q = part(0), .k = part(1), .v = part(2), .scale = 1.0f, .bias = bias});
  ops::linear(ctx, {.dst = x, .x = attended, .weight = &layer.out, .residual = x});
}

void T5Encoder::feed_forward(Ctx ctx, const Layer& layer, const Tensor& x) const {
  const Arena::Scope scope(ctx.arena);
  const std::int64_t hidden = layer.wo.in;
  const Activation input = input_for(ctx, layer.wi, x.rank, x.dims);
  ops::rms_norm(ctx, {.dst = input, .x = x, .weight = layer.norm2.value, .eps = options_.eps});
  const Tensor both =
      ctx.arena.tensor(ctx.backend.stream_dtype(compute_), {x.dim(0), x.dim(1), 2 * hidden});
  ops::linear(ctx, {.dst = both, .x = input, .weight = &layer.wi});
  const Activation gated = input_for(ctx, layer.wo, {x.dim(0), x.dim(1), hidden});
  ops::gated_gelu(
      ctx,
      {.dst = gated, .gate = slice(both, 2, 0, hidden), .up = slice(both, 2, hidden, 2 * hidden)});
  ops::linear(ctx, {.dst = x, .x = gated, .weight = &layer.wo, .residual = x});
}

void T5Encoder::forward(Ctx ctx, const Tensor& hidden, const Tensor& ids) const {
  const Arena::Scope scope(ctx.arena);
  const std::int64_t tokens = ids.dim(1);
  const Tensor x = ctx.arena.tensor(DType::kF32, {ids.dim(0), tokens, width_});
  ops::embed_tokens(ctx, {.dst = x, .ids = ids, .table = tokens_.value});
  const Tensor bias = ctx.arena.tensor(DType::kF32, {heads_, tokens, tokens});
  ops::relative_position_bias(
      ctx, {.dst = bias, .table = bias_table_.value, .max_distance = options_.max_distance});
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    attend(ctx, layers_[i], x, bias);
    feed_forward(ctx, layers_[i], x);
    ctx.show("T5 encoder.block.", i, "", x);
  }
  ops::rms_norm(ctx, {.dst = hidden, .x = x, .weight = final_norm_.value, .eps = options_.eps});
}

}  // namespace octet
