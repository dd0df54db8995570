// Reading an MMDiT: configuration from tensor shapes, then every weight by its diffusers name.
#include <cmath>

#include "base/check.h"
#include "model/mmdit.h"

namespace octet {
namespace {

constexpr std::int64_t kMaxWidth = 1 << 16;

std::string block_name(std::int64_t index) { return "transformer_blocks." + std::to_string(index); }

[[noreturn]] void mismatch(const std::string& tensor, const std::string& what) {
  throw Error(Code::kModelMismatch, "transformer: tensor \"" + tensor + "\": " + what);
}

// Dimension `axis` of a tensor that must have `rank` of them, in sane bounds.
std::int64_t dim_of(const WeightReader& w, const std::string& name, std::size_t rank,
                    std::size_t axis) {
  const auto dims = w.dims(name);
  if (dims.size() != rank)
    mismatch(name, format("expected rank %zu, found %zu", rank, dims.size()));
  if (dims[axis] < 1 || dims[axis] > std::int64_t{kMaxWidth} * 16) {
    mismatch(name, format("expected a sane size, found %lld", static_cast<long long>(dims[axis])));
  }
  return dims[axis];
}

MmditConfig detect(const WeightReader& w) {
  MmditConfig c;
  const std::string patch = "pos_embed.proj.weight";
  c.width = dim_of(w, patch, 4, 0);
  c.in_channels = dim_of(w, patch, 4, 1);
  c.patch = dim_of(w, patch, 4, 2);
  c.depth = w.count("transformer_blocks.");
  // Heads of 64 and depth = width/64 are rules of the family, checked rather than assumed.
  if (c.width % c.head_dim != 0 || c.depth != c.width / c.head_dim) {
    mismatch(patch, format("expected width = 64 x blocks, found width %lld and %lld blocks",
                           static_cast<long long>(c.width), static_cast<long long>(c.depth)));
  }
  c.text_width = dim_of(w, "context_embedder.weight", 2, 1);
  c.pooled_width = dim_of(w, "time_text_embed.text_embedder.linear_1.weight", 2, 1);
  c.out_channels = dim_of(w, "proj_out.weight", 2, 0) / (c.patch * c.patch);
  if (c.out_channels != c.in_channels) {
    mismatch("proj_out.weight",
             format("expected the %lld channels of the latents, found %lld",
                    static_cast<long long>(c.in_channels), static_cast<long long>(c.out_channels)));
  }
  const std::int64_t positions = dim_of(w, "pos_embed.pos_embed", 3, 1);
  c.position_side = std::llround(std::sqrt(static_cast<double>(positions)));
  if (c.position_side * c.position_side != positions) {
    mismatch("pos_embed.pos_embed", format("expected a square number of positions, found %lld",
                                           static_cast<long long>(positions)));
  }
  c.qk_norm = w.has(block_name(0) + ".attn.norm_q.weight");
  for (std::int64_t i = 0; i < c.depth; ++i) {
    c.dual.push_back(w.has(block_name(i) + ".attn2.to_q.weight"));
  }
  return c;
}

AttentionWeights load_attention(const Loader& load, const MmditConfig& c, const std::string& name) {
  AttentionWeights a;
  a.qkv = load.stacked({name + ".to_q", name + ".to_k", name + ".to_v"}, c.width, c.width);
  if (c.qk_norm) {
    a.norm_q = load.vector(name + ".norm_q.weight", c.head_dim);
    a.norm_k = load.vector(name + ".norm_k.weight", c.head_dim);
  }
  a.proj = load.linear(name + ".to_out.0", c.width, c.width);
  return a;
}

AttentionWeights load_text_attention(const Loader& load, const MmditConfig& c,
                                     const std::string& name, bool last) {
  AttentionWeights a;
  a.qkv = load.stacked({name + ".add_q_proj", name + ".add_k_proj", name + ".add_v_proj"}, c.width,
                       c.width);
  if (c.qk_norm) {
    a.norm_q = load.vector(name + ".norm_added_q.weight", c.head_dim);
    a.norm_k = load.vector(name + ".norm_added_k.weight", c.head_dim);
  }
  if (!last) a.proj = load.linear(name + ".to_add_out", c.width, c.width);
  return a;
}

MlpWeights load_mlp(const Loader& load, const MmditConfig& c, const std::string& name) {
  return {.fc1 = load.linear(name + ".net.0.proj", 4 * c.width, c.width),
          .fc2 = load.linear(name + ".net.2", c.width, 4 * c.width)};
}

}  // namespace

std::string MmditConfig::describe() const {
  bool any_dual = false;
  for (const bool d : dual) any_dual = any_dual || d;
  const char* family = any_dual ? "sd3.5-medium" : qk_norm ? "sd3.5-large" : "sd3-medium";
  return format("MMDiT like %s, %lld blocks, width %lld", family, static_cast<long long>(depth),
                static_cast<long long>(width));
}

Mmdit::ModulationLayer Mmdit::load_modulation(const Loader& load, const std::string& name,
                                              std::int64_t chunk_count) {
  ModulationLayer layer{
      .weight = load.careful_linear(name + ".linear", chunk_count * config_.width, config_.width),
      .offset = modulation_width_,
      .chunks = chunk_count};
  modulation_width_ += chunk_count * config_.width;
  return layer;
}

void Mmdit::load_block(const Loader& load, std::int64_t index) {
  const std::string name = block_name(index);
  const bool last = index + 1 == config_.depth;
  const bool dual = config_.dual[static_cast<std::size_t>(index)];
  JointBlock b;
  b.heads = config_.heads();
  b.compute = load.compute;
  b.image = load_attention(load, config_, name + ".attn");
  b.text = load_text_attention(load, config_, name + ".attn", last);
  if (dual) b.dual = load_attention(load, config_, name + ".attn2");
  b.image_mlp = load_mlp(load, config_, name + ".ff");
  if (!last) b.text_mlp = load_mlp(load, config_, name + ".ff_context");
  image_mod_.push_back(load_modulation(load, name + ".norm1", dual ? 9 : 6));
  text_mod_.push_back(load_modulation(load, name + ".norm1_context", last ? 2 : 6));
  blocks_.push_back(std::move(b));
}

Mmdit::Mmdit(const Loader& load)
    : config_(detect(load.weights)), stream_dtype_(load.backend.stream_dtype(load.compute)) {
  const MmditConfig& c = config_;
  const std::int64_t patch_values = c.in_channels * c.patch * c.patch;
  HostWeight patch = load.weights.conv("pos_embed.proj", c.width, c.in_channels, c.patch);
  patch.dims = {c.width, patch_values};  // a convolution of stride = kernel is a linear
  patch_embed_ = load.prepare(patch, load.careful);
  position_ = load.table("pos_embed.pos_embed", {c.position_side, c.position_side, c.width});
  const std::string time = "time_text_embed.timestep_embedder.";
  time_fc1_ = load.careful_linear(time + "linear_1", c.width, 256);
  time_fc2_ = load.careful_linear(time + "linear_2", c.width, c.width);
  const std::string text = "time_text_embed.text_embedder.";
  pooled_fc1_ = load.careful_linear(text + "linear_1", c.width, c.pooled_width);
  pooled_fc2_ = load.careful_linear(text + "linear_2", c.width, c.width);
  context_embedder_ = load.careful_linear("context_embedder", c.width, c.text_width);
  for (std::int64_t i = 0; i < c.depth; ++i) load_block(load, i);
  final_mod_ = load_modulation(load, "norm_out", 2);
  proj_out_ = load.careful_linear("proj_out", c.out_channels * c.patch * c.patch, c.width);
}

}  // namespace octet
