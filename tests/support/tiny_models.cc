#include "support/tiny_models.h"

#include <algorithm>
#include <cmath>

#include "tensor/float_formats.h"

namespace octet::test {
namespace {

// Collects tensors; weights are scaled so that values neither grow nor vanish from layer to layer.
class Maker {
 public:
  explicit Maker(unsigned seed) : random_(seed) {}

  void weight(const std::string& name, const Shape& dims) {
    const std::int64_t fan_in = count_of(dims) / dims[0];
    map_[name] = random_tensor(dims, random_, 1.0f / std::sqrt(static_cast<float>(fan_in)));
  }
  void linear(const std::string& name, std::int64_t out, std::int64_t in, bool bias = true) {
    weight(name + ".weight", {out, in});
    if (bias) map_[name + ".bias"] = random_tensor({out}, random_, 0.1f);
  }
  void conv(const std::string& name, std::int64_t out, std::int64_t in, std::int64_t kernel) {
    weight(name + ".weight", {out, in, kernel, kernel});
    map_[name + ".bias"] = random_tensor({out}, random_, 0.1f);
  }
  void gain(const std::string& name, std::int64_t size) {
    map_[name] = random_tensor({size}, random_, 0.1f, 1.0f);
  }
  void norm(const std::string& name, std::int64_t size) {
    gain(name + ".weight", size);
    map_[name + ".bias"] = random_tensor({size}, random_, 0.1f);
  }
  void table(const std::string& name, const Shape& dims) {
    map_[name] = random_tensor(dims, random_, 1.0f);
  }
  TensorMap take() { return std::move(map_); }

  TensorMap map_;

 private:
  Random random_;
};

struct AttentionNames {
  std::vector<std::string> inputs;
  std::string output;
  std::vector<std::string> norms;
};

void attention(Maker& m, const std::string& name, std::int64_t width, bool qk_norm,
               const AttentionNames& names) {
  for (const std::string& part : names.inputs) m.linear(name + part, width, width);
  if (!names.output.empty()) m.linear(name + names.output, width, width);
  if (!qk_norm) return;
  for (const std::string& part : names.norms) m.gain(name + part + ".weight", 64);
}

void mlp(Maker& m, const std::string& name, std::int64_t width) {
  m.linear(name + ".net.0.proj", 4 * width, width);
  m.linear(name + ".net.2", width, 4 * width);
}

void mmdit_block(Maker& m, const MmditSpec& s, std::int64_t index) {
  const std::string name = "transformer_blocks." + std::to_string(index) + ".";
  const std::int64_t width = 64 * s.depth;
  const bool last = index + 1 == s.depth;
  const bool norm = s.family != Family::kSd3Medium;
  const bool dual = s.family == Family::kSd35Medium && index < s.dual_blocks;
  const AttentionNames image{{"to_q", "to_k", "to_v"}, "to_out.0", {"norm_q", "norm_k"}};
  attention(m, name + "attn.", width, norm, image);
  attention(m, name + "attn.", width, norm,
            {{"add_q_proj", "add_k_proj", "add_v_proj"},
             last ? "" : "to_add_out",
             {"norm_added_q", "norm_added_k"}});
  if (dual) attention(m, name + "attn2.", width, norm, image);
  mlp(m, name + "ff", width);
  if (!last) mlp(m, name + "ff_context", width);
  m.linear(name + "norm1.linear", (dual ? 9 : 6) * width, width);
  m.linear(name + "norm1_context.linear", (last ? 2 : 6) * width, width);
}

void resnet(Maker& m, const std::string& name, std::int64_t in, std::int64_t out) {
  m.norm(name + "norm1", in);
  m.conv(name + "conv1", out, in, 3);
  m.norm(name + "norm2", out);
  m.conv(name + "conv2", out, out, 3);
  if (in != out) m.conv(name + "conv_shortcut", out, in, 1);
}

void coder(Maker& m, const VaeSpec& s, bool up) {
  const std::string name = up ? "decoder." : "encoder.";
  std::vector<std::int64_t> widths = s.widths;
  if (up) std::reverse(widths.begin(), widths.end());
  std::int64_t width = widths.front();
  m.conv(name + "conv_in", width, up ? s.channels : 3, 3);
  for (std::size_t i = 0; i < widths.size(); ++i) {
    const std::string level = name + (up ? "up_blocks." : "down_blocks.") + std::to_string(i) + ".";
    for (std::int64_t r = 0; r < s.layers + (up ? 1 : 0); ++r) {
      resnet(m, level + "resnets." + std::to_string(r) + ".", width, widths[i]);
      width = widths[i];
    }
    const std::string sampler = up ? "upsamplers.0.conv" : "downsamplers.0.conv";
    if (i + 1 < widths.size()) m.conv(level + sampler, width, width, 3);
  }
  const std::int64_t middle = s.widths.back();
  for (const char* part : {"mid_block.resnets.0.", "mid_block.resnets.1."}) {
    resnet(m, name + part, middle, middle);
  }
  if (s.attention) {
    const std::string attn = name + "mid_block.attentions.0.";
    m.norm(attn + "group_norm", middle);
    for (const char* part : {"to_q", "to_k", "to_v", "to_out.0"}) {
      m.linear(attn + part, middle, middle);
    }
  }
  m.norm(name + "conv_norm_out", width);
  m.conv(name + "conv_out", up ? 3 : 2 * s.channels, width, 3);
}

std::vector<float> values_of(const TestTensor& t) {
  std::vector<float> values(static_cast<std::size_t>(count_of(t.dims)));
  decode_to_f32(*dtype_from_safetensors(t.dtype), t.data.data(), values.data(), values.size());
  return values;
}

}  // namespace

TensorMap mmdit_tensors(const MmditSpec& s, unsigned seed) {
  Maker m(seed);
  const std::int64_t width = 64 * s.depth;
  m.conv("pos_embed.proj", width, s.channels, s.patch);
  m.table("pos_embed.pos_embed", {1, s.positions * s.positions, width});
  m.linear("time_text_embed.timestep_embedder.linear_1", width, 256);
  m.linear("time_text_embed.timestep_embedder.linear_2", width, width);
  m.linear("time_text_embed.text_embedder.linear_1", width, s.pooled_width);
  m.linear("time_text_embed.text_embedder.linear_2", width, width);
  m.linear("context_embedder", width, s.text_width);
  for (std::int64_t i = 0; i < s.depth; ++i) mmdit_block(m, s, i);
  m.linear("norm_out.linear", 2 * width, width);
  m.linear("proj_out", s.channels * s.patch * s.patch, width);
  return m.take();
}

TensorMap clip_tensors(const ClipSpec& s, unsigned seed) {
  Maker m(seed);
  m.table(s.prefix + "embeddings.token_embedding.weight", {s.vocabulary, s.width});
  m.table(s.prefix + "embeddings.position_embedding.weight", {s.tokens, s.width});
  for (std::int64_t i = 0; i < s.layers; ++i) {
    const std::string layer = s.prefix + "encoder.layers." + std::to_string(i) + ".";
    m.norm(layer + "layer_norm1", s.width);
    m.norm(layer + "layer_norm2", s.width);
    for (const char* part : {"q_proj", "k_proj", "v_proj", "out_proj"}) {
      m.linear(layer + "self_attn." + part, s.width, s.width);
    }
    m.linear(layer + "mlp.fc1", s.hidden, s.width);
    m.linear(layer + "mlp.fc2", s.width, s.hidden);
  }
  m.norm(s.prefix + "final_layer_norm", s.width);
  if (s.projection > 0) m.linear("text_projection", s.projection, s.width, false);
  if (s.identity_projection) {
    std::vector<float> identity(static_cast<std::size_t>(s.width * s.width));
    for (std::size_t i = 0; i < identity.size(); i += static_cast<std::size_t>(s.width) + 1) {
      identity[i] = 1;
    }
    m.map_["text_projection.weight"] = tensor_of({s.width, s.width}, identity);
  }
  return m.take();
}

TensorMap t5_tensors(const T5Spec& s, unsigned seed) {
  Maker m(seed);
  const std::int64_t inner = s.heads * s.head_width;
  m.table("shared.weight", {s.vocabulary, s.width});
  for (std::int64_t i = 0; i < s.layers; ++i) {
    const std::string block = "encoder.block." + std::to_string(i) + ".layer.";
    for (const char* part : {"q", "k", "v"}) {
      m.linear(block + "0.SelfAttention." + part, inner, s.width, false);
    }
    m.linear(block + "0.SelfAttention.o", s.width, inner, false);
    if (i == 0) m.table(block + "0.SelfAttention.relative_attention_bias.weight", {32, s.heads});
    m.gain(block + "0.layer_norm.weight", s.width);
    m.linear(block + "1.DenseReluDense.wi_0", s.hidden, s.width, false);
    m.linear(block + "1.DenseReluDense.wi_1", s.hidden, s.width, false);
    m.linear(block + "1.DenseReluDense.wo", s.width, s.hidden, false);
    m.gain(block + "1.layer_norm.weight", s.width);
  }
  m.gain("encoder.final_layer_norm.weight", s.width);
  return m.take();
}

TensorMap vae_tensors(const VaeSpec& s, unsigned seed) {
  Maker m(seed);
  coder(m, s, false);
  coder(m, s, true);
  return m.take();
}

TensorMap with_fp8_blocks(TensorMap tensors) {
  TensorMap scales;
  for (auto& [name, t] : tensors) {
    if (!name.starts_with("transformer_blocks.") || t.dims.size() != 2) continue;
    std::vector<float> values = values_of(t);
    const auto rows = static_cast<std::size_t>(t.dims[0]);
    const std::size_t columns = values.size() / rows;
    std::vector<float> row_scales(rows);
    for (std::size_t r = 0; r < rows; ++r) {
      float largest = 1e-6f;
      for (std::size_t c = 0; c < columns; ++c) {
        largest = std::max(largest, std::fabs(values[r * columns + c]));
      }
      row_scales[r] = largest / kE4M3Max;
      for (std::size_t c = 0; c < columns; ++c) values[r * columns + c] /= row_scales[r];
    }
    t = tensor_of(t.dims, values, DType::kF8E4M3);
    scales[name + "_scale"] = tensor_of({static_cast<std::int64_t>(rows)}, row_scales);
  }
  tensors.merge(scales);
  return tensors;
}

TensorMap as_dtype(TensorMap tensors, DType dtype) {
  for (auto& [name, t] : tensors) t = tensor_of(t.dims, values_of(t), dtype);
  return tensors;
}

}  // namespace octet::test
