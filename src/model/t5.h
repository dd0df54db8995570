// The T5 v1.1 encoder (arXiv 1910.10683, 2002.05202): RMS norms, no biases, gated GELU, one table
// of relative position biases shared by all layers, attention without 1/sqrt(d).
//
// The residual stream is FP32 under every compute type: in FP16 it overflows (A value of 66246
// has been met), and it costs little.
#pragma once

#include <vector>

#include "model/layers.h"

namespace octet {

/// What tensor shapes cannot tell.
struct T5Options {
  float eps = 1e-6f;
  std::int64_t max_distance = 128;
};

class T5Encoder {
 public:
  T5Encoder(const Loader& loader, const T5Options& options);

  [[nodiscard]] std::int64_t width() const { return width_; }
  [[nodiscard]] std::int64_t vocabulary() const { return vocabulary_; }
  [[nodiscard]] std::size_t layers() const { return layers_.size(); }

  /// ids I32 [B, L]; hidden FP32/BF16 [B, L, width], rows may be strided. Padding is attended to,
  /// as in SD3.
  void forward(Ctx ctx, const Tensor& hidden, const Tensor& ids) const;

 private:
  struct Layer {
    Parameter norm1, norm2;
    Weight qkv, out, wi, wo;  // wi: rows of wi_0 (gate), then wi_1
  };
  void load_layer(const Loader& load, const std::string& name);
  void attend(Ctx ctx, const Layer& layer, const Tensor& x, const Tensor& bias) const;
  void feed_forward(Ctx ctx, const Layer& layer, const Tensor& x) const;

  T5Options options_;
  Compute compute_;
  std::int64_t width_ = 0, vocabulary_ = 0, heads_ = 0;
  Parameter tokens_, bias_table_, final_norm_;
  std::vector<Layer> layers_;
};

}  // namespace octet
