// Names, shapes and deviations of the synthetic models' tensors, in diffusers naming.
#include <cmath>

#include "base/check.h"
#include "engine/synthetic_model.h"

namespace octet {
namespace {

constexpr float kBias = 0.02f;
constexpr float kNorm = 0.1f;  // of norm weights around 1
constexpr float kEmbedding = 0.5f;
constexpr float kModulation = 0.5f;     // of what a variance-keeping linear would have
constexpr float kFp8Codes = 122.0f;     // 3.67 deviations stay below the largest code, 448
constexpr float kLargestInput = 32.0f;  // of static input scales; inputs reach about 12

// FNV-1a: a tensor's seed is its name, so that no two tensors hold the same values.
std::uint32_t seed_of(const std::string& name) {
  std::uint32_t hash = 0x811C9DC5U;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x01000193U;
  return hash;
}

/// The tensors of one component as they are listed.
class List {
 public:
  List(std::string component, SyntheticFormat format)
      : component_(std::move(component)), format_(format) {}

  void tensor(const std::string& name, std::vector<std::int64_t> dims, const RandomCodes& codes) {
    tensors_.push_back({.name = name, .dims = std::move(dims), .codes = codes});
    tensors_.back().codes.seed = seed_of(component_ + "." + name);
  }
  void half(const std::string& name, std::vector<std::int64_t> dims, float mean, float deviation) {
    tensor(name, std::move(dims), {.dtype = DType::kBF16, .mean = mean, .deviation = deviation});
  }
  void norm(const std::string& name, std::int64_t size, bool bias) {
    half(name + ".weight", {size}, 1.0f, kNorm);
    if (bias) half(name + ".bias", {size}, 0.0f, kBias);
  }
  /// A layer that stays in 16 bits. `gain` 1 keeps the variance of its input.
  void careful(const std::string& name, std::int64_t out, std::int64_t in, bool bias = true,
               float gain = 1.0f) {
    half(name + ".weight", {out, in}, 0.0f, gain / std::sqrt(static_cast<float>(in)));
    if (bias) half(name + ".bias", {out}, 0.0f, kBias);
  }
  /// A layer that is FP8 in FP8 models.
  void linear(const std::string& name, std::int64_t out, std::int64_t in, bool bias = true,
              float gain = 1.0f) {
    if (format_ == SyntheticFormat::kBF16) return careful(name, out, in, bias, gain);
    const float scale = gain / std::sqrt(static_cast<float>(in)) / kFp8Codes;
    tensor(name + ".weight", {out, in}, {.dtype = DType::kF8E4M3, .deviation = kFp8Codes});
    if (format_ == SyntheticFormat::kFP8Static && component_ == "transformer") {
      tensor(name + ".weight_scale", {}, {.dtype = DType::kF32, .mean = scale, .deviation = 0});
      tensor(name + ".input_scale", {},
             {.dtype = DType::kF32, .mean = kLargestInput / 448, .deviation = 0});
    } else {
      tensor(name + ".weight_scale", {out},
             {.dtype = DType::kF32, .mean = scale, .deviation = kNorm * scale});
    }
    if (bias) half(name + ".bias", {out}, 0.0f, kBias);
  }
  void conv(const std::string& name, std::int64_t out, std::int64_t in, std::int64_t kernel) {
    half(name + ".weight", {out, in, kernel, kernel}, 0.0f,
         1.0f / std::sqrt(static_cast<float>(in * kernel * kernel)));
    half(name + ".bias", {out}, 0.0f, kBias);
  }
  std::vector<SyntheticTensor> take() { return std::move(tensors_); }

 private:
  std::string component_;
  SyntheticFormat format_;
  std::vector<SyntheticTensor> tensors_;
};

void attention(List& list, const std::string& name, std::int64_t d, bool qk_norm) {
  for (const char* part : {"to_q", "to_k", "to_v", "to_out.0"})
    list.linear(name + "." + part, d, d);
  if (!qk_norm) return;
  for (const char* part : {"norm_q", "norm_k"}) list.norm(name + "." + part, 64, false);
}

void text_attention(List& list, const std::string& name, std::int64_t d, bool qk_norm, bool last) {
  for (const char* part : {"add_q_proj", "add_k_proj", "add_v_proj"}) {
    list.linear(name + "." + part, d, d);
  }
  if (!last) list.linear(name + ".to_add_out", d, d);
  if (!qk_norm) return;
  for (const char* part : {"norm_added_q", "norm_added_k"}) list.norm(name + "." + part, 64, false);
}

void mlp(List& list, const std::string& name, std::int64_t d) {
  list.linear(name + ".net.0.proj", 4 * d, d);
  list.linear(name + ".net.2", d, 4 * d);
}

void transformer(List& list, const SyntheticSizes& s) {
  const std::int64_t d = 64 * s.depth;
  const std::int64_t pooled = s.clip_l.width + s.clip_g.width;
  list.conv("pos_embed.proj", d, 16, 2);
  list.half("pos_embed.pos_embed", {1, s.positions * s.positions, d}, 0.0f, kEmbedding);
  list.careful("time_text_embed.timestep_embedder.linear_1", d, 256);
  list.careful("time_text_embed.timestep_embedder.linear_2", d, d);
  list.careful("time_text_embed.text_embedder.linear_1", d, pooled);
  list.careful("time_text_embed.text_embedder.linear_2", d, d);
  list.careful("context_embedder", d, s.t5.width);
  for (std::int64_t i = 0; i < s.depth; ++i) {
    const std::string block = "transformer_blocks." + std::to_string(i);
    const bool last = i + 1 == s.depth;
    const bool dual = i < s.dual;
    list.careful(block + ".norm1.linear", (dual ? 9 : 6) * d, d, true, kModulation);
    list.careful(block + ".norm1_context.linear", (last ? 2 : 6) * d, d, true, kModulation);
    attention(list, block + ".attn", d, s.qk_norm);
    text_attention(list, block + ".attn", d, s.qk_norm, last);
    if (dual) attention(list, block + ".attn2", d, s.qk_norm);
    mlp(list, block + ".ff", d);
    if (!last) mlp(list, block + ".ff_context", d);
  }
  list.careful("norm_out.linear", 2 * d, d, true, kModulation);
  list.careful("proj_out", 64, d);
}

void clip(List& list, const SyntheticSizes::Clip& c) {
  const std::string model = "text_model.";
  list.half(model + "embeddings.token_embedding.weight", {c.vocabulary, c.width}, 0.0f, kEmbedding);
  list.half(model + "embeddings.position_embedding.weight", {77, c.width}, 0.0f, kEmbedding);
  for (std::int64_t i = 0; i < c.layers; ++i) {
    const std::string layer = model + "encoder.layers." + std::to_string(i) + ".";
    list.norm(layer + "layer_norm1", c.width, true);
    for (const char* part : {"q_proj", "k_proj", "v_proj", "out_proj"}) {
      list.careful(layer + "self_attn." + part, c.width, c.width);
    }
    list.norm(layer + "layer_norm2", c.width, true);
    list.careful(layer + "mlp.fc1", c.hidden, c.width);
    list.careful(layer + "mlp.fc2", c.width, c.hidden);
  }
  list.norm(model + "final_layer_norm", c.width, true);
  if (c.projection) list.careful("text_projection", c.width, c.width, false);
}

void t5(List& list, const SyntheticSizes::T5& t) {
  constexpr std::int64_t kBuckets = 32;
  // Attention without 1/sqrt(head width): the queries are small instead, as in trained models.
  const std::int64_t head_dim = t.width / t.heads;
  const float query = 1.0f / std::sqrt(static_cast<float>(head_dim));
  list.half("shared.weight", {t.vocabulary, t.width}, 0.0f, 1.0f);
  for (std::int64_t i = 0; i < t.layers; ++i) {
    const std::string block = "encoder.block." + std::to_string(i) + ".layer.";
    const std::string attn = block + "0.SelfAttention.";
    list.norm(block + "0.layer_norm", t.width, false);
    list.linear(attn + "q", t.width, t.width, false, query);
    for (const char* part : {"k", "v", "o"}) list.linear(attn + part, t.width, t.width, false);
    if (i == 0) {
      list.half(attn + "relative_attention_bias.weight", {kBuckets, t.heads}, 0.0f, kEmbedding);
    }
    list.norm(block + "1.layer_norm", t.width, false);
    for (const char* part : {"wi_0", "wi_1"}) {
      list.linear(block + "1.DenseReluDense." + part, t.hidden, t.width, false);
    }
    list.linear(block + "1.DenseReluDense.wo", t.width, t.hidden, false);
  }
  list.norm("encoder.final_layer_norm", t.width, false);
}

void resnet(List& list, const std::string& name, std::int64_t in, std::int64_t out) {
  list.norm(name + "norm1", in, true);
  list.conv(name + "conv1", out, in, 3);
  list.norm(name + "norm2", out, true);
  list.conv(name + "conv2", out, out, 3);
  if (in != out) list.conv(name + "conv_shortcut", out, in, 1);
}

void vae_middle(List& list, const std::string& name, std::int64_t width) {
  resnet(list, name + "resnets.0.", width, width);
  list.norm(name + "attentions.0.group_norm", width, true);
  for (const char* part : {"to_q", "to_k", "to_v", "to_out.0"}) {
    list.careful(name + "attentions.0." + part, width, width);
  }
  resnet(list, name + "resnets.1.", width, width);
}

void vae(List& list, const SyntheticSizes& s) {
  constexpr std::int64_t kLevels = 4;
  const std::int64_t widths[kLevels] = {s.vae_width, 2 * s.vae_width, 4 * s.vae_width,
                                        4 * s.vae_width};
  const std::int64_t middle = widths[kLevels - 1];
  const auto level = [&](const std::string& name, std::int64_t resnets, std::int64_t in,
                         std::int64_t out, const std::string& resampler) {
    for (std::int64_t r = 0; r < resnets; ++r) {
      resnet(list, name + "resnets." + std::to_string(r) + ".", r == 0 ? in : out, out);
    }
    if (!resampler.empty()) list.conv(name + resampler, out, out, 3);
  };

  list.conv("encoder.conv_in", widths[0], 3, 3);
  for (std::int64_t i = 0; i < kLevels; ++i) {
    level("encoder.down_blocks." + std::to_string(i) + ".", 2, widths[i == 0 ? 0 : i - 1],
          widths[i], i + 1 < kLevels ? "downsamplers.0.conv" : "");
  }
  vae_middle(list, "encoder.mid_block.", middle);
  list.norm("encoder.conv_norm_out", middle, true);
  list.conv("encoder.conv_out", 32, middle, 3);

  list.conv("decoder.conv_in", middle, 16, 3);
  vae_middle(list, "decoder.mid_block.", middle);
  for (std::int64_t i = 0; i < kLevels; ++i) {
    const std::int64_t out = widths[kLevels - 1 - i];
    level("decoder.up_blocks." + std::to_string(i) + ".", 3, i == 0 ? middle : widths[kLevels - i],
          out, i + 1 < kLevels ? "upsamplers.0.conv" : "");
  }
  list.norm("decoder.conv_norm_out", widths[0], true);
  list.conv("decoder.conv_out", 3, widths[0], 3);
}

}  // namespace

std::vector<SyntheticTensor> synthetic_tensors(const SyntheticSizes& sizes,
                                               const std::string& component,
                                               SyntheticFormat format) {
  List list(component, format);
  if (component == "transformer") transformer(list, sizes);
  if (component == "text_encoder") clip(list, sizes.clip_l);
  if (component == "text_encoder_2") clip(list, sizes.clip_g);
  if (component == "text_encoder_3") t5(list, sizes.t5);
  if (component == "vae") vae(list, sizes);
  std::vector<SyntheticTensor> tensors = list.take();
  OCTET_CHECK(!tensors.empty(), "synthetic component %s", component.c_str());
  return tensors;
}

}  // namespace octet
