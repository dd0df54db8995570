#include "support/layouts.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "tensor/float_formats.h"

namespace octet::test {
namespace {

std::vector<float> values_of(const TestTensor& t) {
  std::vector<float> values(static_cast<std::size_t>(count_of(t.dims)));
  decode_to_f32(*dtype_from_safetensors(t.dtype), t.data.data(), values.data(), values.size());
  return values;
}

TestTensor stacked(const TensorMap& from, const std::vector<std::string>& names) {
  TestTensor t = from.at(names[0]);
  for (std::size_t i = 1; i < names.size(); ++i) {
    const TestTensor& more = from.at(names[i]);
    t.dims[0] += more.dims[0];
    t.data.insert(t.data.end(), more.data.begin(), more.data.end());
  }
  return t;
}

TestTensor halves_exchanged(TestTensor t) {
  const auto middle = t.data.begin() + static_cast<std::ptrdiff_t>(t.data.size() / 2);
  std::rotate(t.data.begin(), middle, t.data.end());
  return t;
}

/// Collects tensors under new names.
struct Mover {
  const TensorMap& from;
  TensorMap to;

  void layer(const std::string& old_name, const std::string& new_name) {
    for (const char* leaf : {".weight", ".bias"}) {
      if (from.count(old_name + leaf) != 0) to[new_name + leaf] = from.at(old_name + leaf);
    }
  }
  void exchanged(const std::string& old_name, const std::string& new_name) {
    for (const char* leaf : {".weight", ".bias"}) {
      to[new_name + leaf] = halves_exchanged(from.at(old_name + leaf));
    }
  }
  void fused(const std::string& old_name, const std::vector<std::string>& parts,
             const std::string& new_name) {
    for (const char* leaf : {".weight", ".bias"}) {
      std::vector<std::string> names;
      for (const std::string& part : parts) names.push_back(old_name + part + leaf);
      to[new_name + leaf] = stacked(from, names);
    }
  }
};

void move_block(Mover& m, std::int64_t i, bool last) {
  const std::string t = "transformer_blocks." + std::to_string(i) + ".";
  const std::string x = "joint_blocks." + std::to_string(i) + ".x_block.";
  const std::string c = "joint_blocks." + std::to_string(i) + ".context_block.";
  m.fused(t + "attn.", {"to_q", "to_k", "to_v"}, x + "attn.qkv");
  m.fused(t + "attn.", {"add_q_proj", "add_k_proj", "add_v_proj"}, c + "attn.qkv");
  m.layer(t + "attn.norm_q", x + "attn.ln_q");
  m.layer(t + "attn.norm_k", x + "attn.ln_k");
  m.layer(t + "attn.norm_added_q", c + "attn.ln_q");
  m.layer(t + "attn.norm_added_k", c + "attn.ln_k");
  m.layer(t + "attn.to_out.0", x + "attn.proj");
  m.layer(t + "attn.to_add_out", c + "attn.proj");
  if (m.from.count(t + "attn2.to_q.weight") != 0) {
    m.fused(t + "attn2.", {"to_q", "to_k", "to_v"}, x + "attn2.qkv");
    m.layer(t + "attn2.norm_q", x + "attn2.ln_q");
    m.layer(t + "attn2.norm_k", x + "attn2.ln_k");
    m.layer(t + "attn2.to_out.0", x + "attn2.proj");
  }
  m.layer(t + "norm1.linear", x + "adaLN_modulation.1");
  if (last) {
    m.exchanged(t + "norm1_context.linear", c + "adaLN_modulation.1");
  } else {
    m.layer(t + "norm1_context.linear", c + "adaLN_modulation.1");
  }
  m.layer(t + "ff.net.0.proj", x + "mlp.fc1");
  m.layer(t + "ff.net.2", x + "mlp.fc2");
  m.layer(t + "ff_context.net.0.proj", c + "mlp.fc1");
  m.layer(t + "ff_context.net.2", c + "mlp.fc2");
}

void move_resnet(Mover& m, const std::string& old_name, const std::string& new_name) {
  for (const char* part : {"norm1", "conv1", "norm2", "conv2"}) {
    m.layer(old_name + part, new_name + part);
  }
  m.layer(old_name + "conv_shortcut", new_name + "nin_shortcut");
}

void move_middle(Mover& m, const std::string& coder) {
  move_resnet(m, coder + "mid_block.resnets.0.", coder + "mid.block_1.");
  move_resnet(m, coder + "mid_block.resnets.1.", coder + "mid.block_2.");
  const std::string from = coder + "mid_block.attentions.0.", to = coder + "mid.attn_1.";
  m.layer(from + "group_norm", to + "norm");
  for (const auto& [old_name, new_name] : std::map<std::string, std::string>{
           {"to_q", "q"}, {"to_k", "k"}, {"to_v", "v"}, {"to_out.0", "proj_out"}}) {
    m.layer(from + old_name, to + new_name);
    Shape& dims = m.to.at(to + new_name + ".weight").dims;
    dims = {dims[0], dims[1], 1, 1};
  }
  m.layer(coder + "conv_norm_out", coder + "norm_out");
  m.layer(coder + "conv_in", coder + "conv_in");
  m.layer(coder + "conv_out", coder + "conv_out");
}

TestTensor transposed(const TestTensor& t) {
  const std::vector<float> v = values_of(t);
  std::vector<float> result(v.size());
  const auto rows = static_cast<std::size_t>(t.dims[0]), columns = v.size() / rows;
  for (std::size_t i = 0; i < v.size(); ++i) result[i % columns * rows + i / columns] = v[i];
  return tensor_of({t.dims[1], t.dims[0]}, result, *dtype_from_safetensors(t.dtype));
}

// Exponents differ between the parts that a scale covers, so that exchanged scales are seen.
float scale_at(ScaleShape shape, std::int64_t row, std::int64_t column) {
  constexpr std::int64_t kBlock = 128;
  switch (shape) {
    case ScaleShape::kTensor:
      return 0.125f;
    case ScaleShape::kRow:
      return row % 3 == 1 ? 0.25f : 0.125f;
    case ScaleShape::kBlock:
      break;
  }
  return (row / kBlock + column / kBlock) % 2 == 1 ? 0.25f : 0.125f;
}

}  // namespace

TensorMap exact(TensorMap tensors) {
  for (auto& [name, t] : tensors) {
    std::vector<float> values = values_of(t);
    for (float& v : values) {
      v = e5m2_to_f32(f32_to_e5m2(v));
      if (std::fabs(v) < 0x1p-6f) v = 0;
    }
    t = tensor_of(t.dims, values);
  }
  return tensors;
}

TensorMap single_file_mmdit(const TensorMap& diffusers, std::int64_t depth) {
  Mover m{.from = diffusers, .to = {}};
  m.to["pos_embed"] = diffusers.at("pos_embed.pos_embed");
  m.layer("pos_embed.proj", "x_embedder.proj");
  m.layer("time_text_embed.timestep_embedder.linear_1", "t_embedder.mlp.0");
  m.layer("time_text_embed.timestep_embedder.linear_2", "t_embedder.mlp.2");
  m.layer("time_text_embed.text_embedder.linear_1", "y_embedder.mlp.0");
  m.layer("time_text_embed.text_embedder.linear_2", "y_embedder.mlp.2");
  m.layer("context_embedder", "context_embedder");
  for (std::int64_t i = 0; i < depth; ++i) move_block(m, i, i + 1 == depth);
  m.exchanged("norm_out.linear", "final_layer.adaLN_modulation.1");
  m.layer("proj_out", "final_layer.linear");
  return std::move(m.to);
}

TensorMap latent_diffusion_vae(const TensorMap& diffusers, std::int64_t levels) {
  Mover m{.from = diffusers, .to = {}};
  for (std::int64_t i = 0; i < levels; ++i) {
    const std::string down = "encoder.down_blocks." + std::to_string(i) + ".";
    const std::string down_to = "encoder.down." + std::to_string(i) + ".";
    const std::string up = "decoder.up_blocks." + std::to_string(i) + ".";
    const std::string up_to = "decoder.up." + std::to_string(levels - 1 - i) + ".";
    for (const char* r : {"0", "1", "2"}) {
      move_resnet(m, down + "resnets." + r + ".", down_to + "block." + r + ".");
      move_resnet(m, up + "resnets." + r + ".", up_to + "block." + r + ".");
    }
    m.layer(down + "downsamplers.0.conv", down_to + "downsample.conv");
    m.layer(up + "upsamplers.0.conv", up_to + "upsample.conv");
  }
  move_middle(m, "encoder.");
  move_middle(m, "decoder.");
  return std::move(m.to);
}

TensorMap open_clip(const TensorMap& transformers, std::int64_t layers) {
  Mover m{.from = transformers, .to = {}};
  m.layer("text_model.embeddings.token_embedding", "token_embedding");
  m.to["positional_embedding"] = transformers.at("text_model.embeddings.position_embedding.weight");
  for (std::int64_t i = 0; i < layers; ++i) {
    const std::string from = "text_model.encoder.layers." + std::to_string(i) + ".";
    const std::string to = "transformer.resblocks." + std::to_string(i) + ".";
    m.layer(from + "layer_norm1", to + "ln_1");
    m.layer(from + "layer_norm2", to + "ln_2");
    m.layer(from + "mlp.fc1", to + "mlp.c_fc");
    m.layer(from + "mlp.fc2", to + "mlp.c_proj");
    m.layer(from + "self_attn.out_proj", to + "attn.out_proj");
    for (const char* leaf : {"weight", "bias"}) {
      std::vector<std::string> parts;
      for (const char* part : {"q_proj.", "k_proj.", "v_proj."}) {
        parts.push_back(from + "self_attn." + part + leaf);
      }
      m.to[to + "attn.in_proj_" + leaf] = stacked(transformers, parts);
    }
  }
  m.layer("text_model.final_layer_norm", "ln_final");
  m.to["text_projection"] = transposed(transformers.at("text_projection.weight"));
  m.to["logit_scale"] = tensor_of({}, {4.5f});
  return std::move(m.to);
}

TensorMap prefixed(const TensorMap& tensors, const std::string& prefix) {
  TensorMap result;
  for (const auto& [name, t] : tensors) result[prefix + name] = t;
  return result;
}

TensorMap without_prefix(const TensorMap& tensors, const std::string& prefix) {
  TensorMap result;
  for (const auto& [name, t] : tensors) {
    result[name.starts_with(prefix) ? name.substr(prefix.size()) : name] = t;
  }
  return result;
}

TensorMap joined(TensorMap a, const TensorMap& b) {
  for (const auto& [name, t] : b) a[name] = t;
  return a;
}

std::vector<std::string> scaled_layers(const TensorMap& tensors, const std::string& prefix) {
  std::vector<std::string> layers;
  for (const auto& [name, t] : tensors) {
    if (name.starts_with(prefix) && name.ends_with(".weight") && t.dims.size() == 2) {
      layers.push_back(name.substr(0, name.size() - std::strlen(".weight")));
    }
  }
  return layers;
}

TensorMap scaled(const TensorMap& tensors, const std::string& prefix,
                 const ScaleSpelling& spelling) {
  TensorMap result = tensors;
  for (const std::string& layer : scaled_layers(tensors, prefix)) {
    const TestTensor plain = tensors.at(layer + ".weight");
    std::vector<float> values = values_of(plain);
    const std::int64_t rows = plain.dims[0], columns = plain.dims[1];
    for (std::int64_t i = 0; i < rows * columns; ++i) {
      values[static_cast<std::size_t>(i)] /= scale_at(spelling.shape, i / columns, i % columns);
    }
    const std::int64_t step = spelling.shape == ScaleShape::kRow     ? 1
                              : spelling.shape == ScaleShape::kBlock ? 128
                                                                     : rows;
    const std::int64_t across = spelling.shape == ScaleShape::kBlock ? 128 : columns;
    std::vector<float> scales;
    Shape dims = {(rows + step - 1) / step, (columns + across - 1) / across};
    for (std::int64_t r = 0; r < rows; r += step) {
      for (std::int64_t c = 0; c < columns; c += across) {
        scales.push_back(scale_at(spelling.shape, r, c));
      }
    }
    if (spelling.shape == ScaleShape::kTensor) dims = {};
    result.erase(layer + ".weight");
    result[layer + spelling.codes] = tensor_of(plain.dims, values, spelling.dtype);
    result[layer + spelling.scale] = tensor_of(dims, scales);
  }
  return result;
}

TestTensor text_tensor(const std::string& text) {
  return {.dtype = "U8", .dims = {static_cast<std::int64_t>(text.size())}, .data = bytes_of(text)};
}

Bytes safetensors_of(const TensorMap& tensors, const Metadata& metadata) {
  const Bytes plain = safetensors_of(tensors);
  std::uint64_t length = 0;
  std::memcpy(&length, plain.data(), sizeof length);
  const auto* text = reinterpret_cast<const char*>(plain.data()) + sizeof length;
  std::string extra = "{\"__metadata__\":{";
  for (const auto& [key, value] : metadata) {
    std::string escaped;
    for (const char c : value) escaped += c == '"' ? "\\\"" : std::string(1, c);
    if (extra.back() != '{') extra += ',';
    extra += "\"" + key + "\":\"" + escaped + "\"";
  }
  extra += "},";
  Bytes file = safetensors_with_header(extra + std::string(text + 1, length - 1), 0);
  file.insert(file.end(), plain.begin() + static_cast<std::ptrdiff_t>(sizeof length + length),
              plain.end());
  return file;
}

}  // namespace octet::test
