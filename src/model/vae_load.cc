// Reading a VAE by its diffusers names; sizes come from the shapes.
#include <algorithm>

#include "base/check.h"
#include "model/vae.h"

namespace octet {
namespace {

std::int64_t size_of_conv(const WeightReader& w, const std::string& conv, std::size_t axis) {
  const auto dims = w.dims(conv + ".weight");
  if (dims.size() < 2) {
    throw Error(
        Code::kModelMismatch,
        format("vae: tensor \"%s.weight\": expected rank 4, found %zu", conv.c_str(), dims.size()));
  }
  return dims[axis];
}
std::int64_t out_of(const WeightReader& w, const std::string& conv) {
  return size_of_conv(w, conv, 0);
}
std::int64_t in_of(const WeightReader& w, const std::string& conv) {
  return size_of_conv(w, conv, 1);
}

Weight conv3(const Loader& load, const std::string& name) {
  return load.conv(name, out_of(load.weights, name), in_of(load.weights, name), 3);
}

VaeResnet load_resnet(const Loader& load, const std::string& name) {
  VaeResnet r;
  const std::int64_t in = in_of(load.weights, name + "conv1");
  const std::int64_t out = out_of(load.weights, name + "conv1");
  r.norm1 = load_norm(load, name + "norm1", in);
  r.norm2 = load_norm(load, name + "norm2", out);
  r.conv1 = load.conv(name + "conv1", out, in, 3);
  r.conv2 = load.conv(name + "conv2", out, out, 3);
  if (in != out) r.shortcut = load.conv(name + "conv_shortcut", out, in, 1);
  return r;
}

VaeAttention load_attention(const Loader& load, const std::string& name) {
  const std::int64_t width = out_of(load.weights, name + "to_q");
  return {.norm = load_norm(load, name + "group_norm", width),
          .qkv = load.stacked({name + "to_q", name + "to_k", name + "to_v"}, width, width),
          .out = load.linear(name + "to_out.0", width, width)};
}

VaeCoder load_coder(const Loader& load, const std::string& name, const std::string& levels,
                    const std::string& resampler) {
  const WeightReader& w = load.weights;
  VaeCoder c;
  c.conv_in = conv3(load, name + "conv_in");
  c.mid1 = load_resnet(load, name + "mid_block.resnets.0.");
  c.mid2 = load_resnet(load, name + "mid_block.resnets.1.");
  if (w.has(name + "mid_block.attentions.0.to_q.weight")) {
    c.mid_attention = load_attention(load, name + "mid_block.attentions.0.");
  }
  const int level_count = w.count(name + levels);
  constexpr int kMaxLevels = 8;  // each doubles the picture; the family has 4
  if (level_count > kMaxLevels) {
    throw Error(Code::kModelMismatch,
                format("vae: %s%s: expected at most %d levels, found %d", name.c_str(),
                       levels.c_str(), kMaxLevels, level_count));
  }
  for (int i = 0; i < level_count; ++i) {
    const std::string level = name + levels + std::to_string(i) + ".";
    VaeLevel l;
    const int resnets = w.count(level + "resnets.");
    for (int r = 0; r < resnets; ++r) {
      l.resnets.push_back(load_resnet(load, level + "resnets." + std::to_string(r) + "."));
    }
    if (w.has(level + resampler + ".weight")) l.resample = conv3(load, level + resampler);
    c.levels.push_back(std::move(l));
  }
  c.conv_out = conv3(load, name + "conv_out");
  c.norm_out = load_norm(load, name + "conv_norm_out", c.conv_out.in);
  return c;
}

void check_groups(const VaeCoder& c, std::int64_t groups) {
  const auto fits = [&](const VaeResnet& r) {
    return r.conv1.in % groups == 0 && r.conv1.out % groups == 0;
  };
  bool ok = groups > 0 && fits(c.mid1) && fits(c.mid2) && c.conv_out.in % groups == 0;
  for (const VaeLevel& l : c.levels) {
    ok = ok && std::all_of(l.resnets.begin(), l.resnets.end(), fits);
  }
  if (ok) return;
  throw Error(Code::kModelMismatch,
              format("vae: norm_num_groups: expected a divisor of every width, found %lld",
                     static_cast<long long>(groups)));
}

// The output of each stage must be the input of the next, or the kernels would read beyond it.
void check_chain(const VaeCoder& c, bool up) {
  std::int64_t width = c.conv_in.out;
  bool ok = true;
  const auto step = [&](std::int64_t in, std::int64_t out) {
    ok = ok && in == width;
    width = out;
  };
  const auto resnet = [&](const VaeResnet& r) { step(r.conv1.in, r.conv2.out); };
  const auto middle = [&] {
    resnet(c.mid1);
    if (c.mid_attention) step(c.mid_attention->qkv.in, c.mid_attention->out.out);
    resnet(c.mid2);
  };
  if (up) middle();
  for (const VaeLevel& l : c.levels) {
    std::for_each(l.resnets.begin(), l.resnets.end(), resnet);
    if (l.resample) step(l.resample->in, l.resample->out);
  }
  if (!up) middle();
  step(c.conv_out.in, c.conv_out.out);
  if (!ok) throw Error(Code::kModelMismatch, "vae: expected widths that follow on each other");
}

int resamplings(const VaeCoder& c) {
  return static_cast<int>(std::count_if(c.levels.begin(), c.levels.end(),
                                        [](const VaeLevel& l) { return l.resample.has_value(); }));
}

// Encoder and decoder speak of the same latents.
void check_pair(const VaeCoder& encoder, const VaeCoder& decoder) {
  if (encoder.conv_out.out != 2 * decoder.conv_in.in) {
    throw Error(Code::kModelMismatch,
                format("vae: latent channels: expected 2 x %lld from the encoder, found %lld",
                       static_cast<long long>(decoder.conv_in.in),
                       static_cast<long long>(encoder.conv_out.out)));
  }
  if (resamplings(encoder) != resamplings(decoder)) {
    throw Error(Code::kModelMismatch,
                format("vae: levels: expected %d changes of size in the encoder, found %d",
                       resamplings(decoder), resamplings(encoder)));
  }
}

}  // namespace

Vae::Vae(const Loader& load, const VaeOptions& options)
    : options_(options),
      stream_dtype_(load.backend.stream_dtype(load.compute)),
      encoder_(load_coder(load, "encoder.", "down_blocks.", "downsamplers.0.conv")),
      decoder_(load_coder(load, "decoder.", "up_blocks.", "upsamplers.0.conv")) {
  check_groups(encoder_, options_.norm_groups);
  check_groups(decoder_, options_.norm_groups);
  check_chain(encoder_, false);
  check_chain(decoder_, true);
  check_pair(encoder_, decoder_);
  if (decoder_.conv_out.out != 3 || encoder_.conv_in.in != 3) {
    throw Error(Code::kModelMismatch, format("vae: expected pictures of 3 channels, found %lld",
                                             static_cast<long long>(decoder_.conv_out.out)));
  }
}

std::int64_t Vae::spatial_factor() const { return std::int64_t{1} << resamplings(decoder_); }

}  // namespace octet
