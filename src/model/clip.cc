#include "model/clip.h"

#include <cmath>

#include "backend/ops_checked.h"
#include "base/check.h"
#include "tensor/float_formats.h"

namespace octet {
namespace {

std::int64_t at(const std::vector<std::int64_t>& dims, std::size_t i, const std::string& name) {
  if (dims.size() != 2) {
    throw Error(Code::kModelMismatch,
                format("tensor \"%s\": expected rank 2, found %zu", name.c_str(), dims.size()));
  }
  return dims[i];
}

bool is_identity(const HostWeight& w) {
  if (w.dims[0] != w.dims[1] || w.data.empty()) return false;
  std::vector<float> values(static_cast<std::size_t>(w.dims[0] * w.dims[1]));
  decode_to_f32(w.dtype, w.data.data(), values.data(), values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const bool diagonal = i % static_cast<std::size_t>(w.dims[0] + 1) == 0;
    if (values[i] != (diagonal ? 1.0f : 0.0f)) return false;
  }
  return true;
}

}  // namespace

ClipTextEncoder::ClipTextEncoder(const Loader& load, const ClipOptions& options)
    : options_(options), compute_(load.compute) {
  WeightReader& w = load.weights;
  const std::string prefix = "text_model.";
  const std::string token_name = prefix + "embeddings.token_embedding.weight";
  const std::string position_name = prefix + "embeddings.position_embedding.weight";
  vocabulary_ = at(w.dims(token_name), 0, token_name);
  width_ = at(w.dims(token_name), 1, token_name);
  max_tokens_ = at(w.dims(position_name), 0, position_name);
  if (options_.heads == 0) options_.heads = width_ / 64;
  if (options_.heads < 1 || width_ % options_.heads != 0) {
    throw Error(Code::kModelMismatch,
                format("text encoder: expected heads that divide width %lld, found %lld",
                       static_cast<long long>(width_), static_cast<long long>(options_.heads)));
  }
  tokens_ = load.table(token_name, {vocabulary_, width_});
  positions_ = load.table(position_name, {max_tokens_, width_});
  const std::string layers = prefix + "encoder.layers.";
  const int count = w.count(layers);
  if (count == 0) {  // what SD3 uses are the hidden states that enter the last layer
    throw Error(Code::kModelMismatch,
                "text encoder: expected layers \"" + layers + "N.\", found none");
  }
  for (int i = 0; i < count; ++i) load_layer(load, layers + std::to_string(i) + ".");
  final_norm_ = load_norm(load, prefix + "final_layer_norm", width_);
  if (options_.projection == ClipProjection::kUnused) w.ignore("text_projection.weight");
  if (options_.projection == ClipProjection::kUnused) return;
  if (options_.projection == ClipProjection::kAsStored && !w.has("text_projection.weight")) return;
  // CLIP-L comes with an identity here, which SD3 does not apply; bigG's is a real projection.
  w.defer_reads(false);  // its values are looked at
  HostWeight projection =
      w.linear("text_projection", at(w.dims("text_projection.weight"), 0, "text_projection.weight"),
               width_, false);
  if (!is_identity(projection)) projection_ = load.prepare(projection, load.compute);
}

void ClipTextEncoder::load_layer(const Loader& load, const std::string& name) {
  const std::string mlp = name + "mlp.";
  const std::string attn = name + "self_attn.";
  const std::int64_t hidden = at(load.weights.dims(mlp + "fc1.weight"), 0, mlp + "fc1.weight");
  Layer layer;
  layer.norm1 = load_norm(load, name + "layer_norm1", width_);
  layer.norm2 = load_norm(load, name + "layer_norm2", width_);
  layer.qkv = load.stacked({attn + "q_proj", attn + "k_proj", attn + "v_proj"}, width_, width_);
  layer.out = load.linear(attn + "out_proj", width_, width_);
  layer.fc1 = load.linear(mlp + "fc1", hidden, width_);
  layer.fc2 = load.linear(mlp + "fc2", width_, hidden);
  layers_.push_back(std::move(layer));
}

void ClipTextEncoder::run_layer(Ctx ctx, const Layer& layer, const Tensor& x) const {
  const Arena::Scope scope(ctx.arena);
  const std::int64_t batch = x.dim(0);
  const std::int64_t tokens = x.dim(1);
  const auto norm = [&](const Activation& dst, const NormWeights& w) {
    ops::layer_norm(
        ctx,
        {.dst = dst, .x = x, .weight = w.weight.value, .bias = w.bias.value, .eps = options_.eps});
  };

  const Activation attention_input = input_for(ctx, layer.qkv, x.rank, x.dims);
  norm(attention_input, layer.norm1);
  const Tensor qkv =
      ctx.arena.tensor(ctx.backend.stream_dtype(compute_), {batch, tokens, 3 * width_});
  ops::linear(ctx, {.dst = qkv, .x = attention_input, .weight = &layer.qkv});
  const std::int64_t head_dim = width_ / options_.heads;
  const auto part = [&](std::int64_t i) {
    return reshape(slice(qkv, 2, i * width_, (i + 1) * width_),
                   {batch, tokens, options_.heads, head_dim});
  };
  const Activation attended = input_for(ctx, layer.out, x.rank, x.dims);
  ops::attention(ctx, {.dst = attended,
                       .q = part(0),
                       .k = part(1),
                       .v = part(2),
                       .scale = 1.0f / std::sqrt(static_cast<float>(head_dim)),
                       .causal = true});
  ops::linear(ctx, {.dst = x, .x = attended, .weight = &layer.out, .residual = x});

  const Activation mlp_input = input_for(ctx, layer.fc1, x.rank, x.dims);
  norm(mlp_input, layer.norm2);
  const Activation hidden = input_for(ctx, layer.fc2, {batch, tokens, layer.fc1.out});
  ops::linear(ctx, {.dst = hidden, .x = mlp_input, .weight = &layer.fc1, .act = options_.act});
  ops::linear(ctx, {.dst = x, .x = hidden, .weight = &layer.fc2, .residual = x});
}

void ClipTextEncoder::pool(Ctx ctx, const Tensor& pooled, const Tensor& x,
                           std::span<const std::int64_t> end) const {
  const Tensor last = ctx.arena.tensor(DType::kF32, {x.dim(0), width_});
  for (std::int64_t b = 0; b < x.dim(0); ++b) {
    const Tensor row = select(select(x, 0, b), 0, end[static_cast<std::size_t>(b)]);
    ops::copy(ctx, {.dst = select(last, 0, b), .src = row});
  }
  const Tensor normed = projection_ ? ctx.arena.tensor(DType::kF32, {x.dim(0), width_}) : pooled;
  ops::layer_norm(ctx, {.dst = normed,
                        .x = last,
                        .weight = final_norm_.weight.value,
                        .bias = final_norm_.bias.value,
                        .eps = options_.eps});
  if (!projection_) return;
  ops::linear(ctx,
              {.dst = pooled, .x = as_input(ctx, *projection_, normed), .weight = &*projection_});
}

void ClipTextEncoder::forward(Ctx ctx, const Tensor& hidden, const Tensor& pooled,
                              const Tensor& ids, std::span<const std::int64_t> end) const {
  const Arena::Scope scope(ctx.arena);
  const Tensor x = ctx.arena.tensor(DType::kF32, {ids.dim(0), ids.dim(1), width_});
  ops::embed_tokens(ctx,
                    {.dst = x, .ids = ids, .table = tokens_.value, .positions = positions_.value});
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    if (i + 1 == layers_.size()) ops::copy(ctx, {.dst = hidden, .src = x});
    run_layer(ctx, layers_[i], x);
    ctx.show("CLIP layer ", i, "", x);
  }
  pool(ctx, pooled, x, end);
}

}  // namespace octet
