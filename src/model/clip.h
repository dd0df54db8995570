// The CLIP text encoders of SD3: CLIP-L and OpenCLIP bigG type (arXiv 2103.00020).
//
// Pre-norm transformer with causal attention and learned positions. SD3 uses two of its results:
// the hidden states that enter the last layer (no final norm), and the final-normed state at the
// first end-of-text token, projected.
#pragma once

#include <optional>
#include <vector>

#include "model/layers.h"

namespace octet {

/// What becomes of text_projection.weight. A stored identity is never multiplied.
enum class ClipProjection : std::uint8_t { kAsStored, kRequired, kUnused };

/// What tensor shapes cannot tell; read from the folder's config.json by the caller.
struct ClipOptions {
  std::int64_t heads = 0;     // 0: width/64
  Act act = Act::kQuickGelu;  // CLIP-L: quick_gelu; bigG: gelu (erf)
  float eps = 1e-5f;
  ClipProjection projection = ClipProjection::kAsStored;
};

class ClipTextEncoder {
 public:
  ClipTextEncoder(const Loader& loader, const ClipOptions& options);

  [[nodiscard]] std::int64_t width() const { return width_; }
  [[nodiscard]] std::int64_t pooled_width() const {
    return projection_ ? projection_->out : width_;
  }
  [[nodiscard]] std::int64_t max_tokens() const { return max_tokens_; }
  [[nodiscard]] std::int64_t vocabulary() const { return vocabulary_; }
  [[nodiscard]] std::size_t layers() const { return layers_.size(); }

  /// ids I32 [B, L], L <= max_tokens(); end[b] = position of the first end-of-text token.
  /// hidden FP32/BF16 [B, L, width] (rows may be strided); pooled FP32 [B, pooled_width].
  void forward(Ctx ctx, const Tensor& hidden, const Tensor& pooled, const Tensor& ids,
               std::span<const std::int64_t> end) const;

 private:
  struct Layer {
    NormWeights norm1, norm2;
    Weight qkv, out, fc1, fc2;
  };
  void load_layer(const Loader& load, const std::string& name);
  void run_layer(Ctx ctx, const Layer& layer, const Tensor& x) const;
  void pool(Ctx ctx, const Tensor& pooled, const Tensor& x,
            std::span<const std::int64_t> end) const;

  ClipOptions options_;
  Compute compute_;
  std::int64_t width_ = 0, max_tokens_ = 0, vocabulary_ = 0;
  Parameter tokens_, positions_;
  std::vector<Layer> layers_;
  NormWeights final_norm_;
  std::optional<Weight> projection_;
};

}  // namespace octet
