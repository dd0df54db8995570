// A backend that lets another one compute and watches the inputs of linear layers, so that no
// model code knows of calibration.
//
// A layer is known by the name of the weight that it was prepared from; only layers of
// LayerRole::kBlockLinear are watched. Of each, the range of all inputs is recorded, and some rows
// of input and output: rows and calls are picked by a fixed rule, so they are the same whatever
// the threads. Inputs that are FP8 already are not recorded.
//
// One thread at a time, as every backend. Errors: those of the inner backend; Error(kInternal)
// naming a layer whose input is not finite.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "backend/backend.h"
#include "quantize/activation_range.h"

namespace octet {

/// Some rows of a layer's input and of its output, FP32.
struct LayerSamples {
  std::vector<float> x, y;
  std::int64_t rows = 0;
};

struct ObservedLayer {
  Weight weight;
  Act act = Act::kNone;
  ActivationRange inputs;
  LayerSamples samples;
  std::int64_t calls = 0;
  std::optional<float> limit;  // inputs beyond it are counted
  std::uint64_t beyond = 0;
};

using ObservedLayers = std::map<std::string, ObservedLayer>;  // by layer name

class ObservingBackend final : public Backend {
 public:
  /// `names`: what layers are called here, where weights carry the names of another layout.
  explicit ObservingBackend(std::unique_ptr<Backend> inner,
                            std::map<std::string, std::string> names = {})
      : inner_(std::move(inner)), names_(std::move(names)) {}

  [[nodiscard]] ObservedLayers& layers() { return layers_; }
  /// The backend that computes, unwatched.
  [[nodiscard]] Backend& inner() { return *inner_; }
  /// Forgets what was seen, but not the limits, and spreads the samples over `calls` calls of each
  /// layer.
  void start(std::int64_t calls);

  [[nodiscard]] DeviceInfo info() const override { return inner_->info(); }
  [[nodiscard]] Buffer allocate(std::size_t bytes) override { return inner_->allocate(bytes); }
  void upload(const Tensor& dst, std::span<const std::byte> src) override {
    inner_->upload(dst, src);
  }
  void download(std::span<std::byte> dst, const Tensor& src) override {
    inner_->download(dst, src);
  }
  [[nodiscard]] bool all_finite(const Tensor& t) override { return inner_->all_finite(t); }
  [[nodiscard]] Weight prepare(const HostWeight& weight, Compute compute) override;
  [[nodiscard]] DType stream_dtype(Compute compute) const override {
    return inner_->stream_dtype(compute);
  }
  void synchronize() override { inner_->synchronize(); }

  void linear(const LinearArgs& a) override;

  void copy(const CopyArgs& a) override { inner_->copy(a); }
  void fill(const FillArgs& a) override { inner_->fill(a); }
  void to_u8(const ToU8Args& a) override { inner_->to_u8(a); }
  void embed_tokens(const EmbedTokensArgs& a) override { inner_->embed_tokens(a); }
  void timestep_embedding(const TimestepEmbeddingArgs& a) override {
    inner_->timestep_embedding(a);
  }
  void patchify(const PatchifyArgs& a) override { inner_->patchify(a); }
  void unpatchify(const UnpatchifyArgs& a) override { inner_->unpatchify(a); }
  void add_position_crop(const AddPositionCropArgs& a) override { inner_->add_position_crop(a); }
  void relative_position_bias(const RelativePositionBiasArgs& a) override {
    inner_->relative_position_bias(a);
  }
  void quantize_fp8(const QuantizeFp8Args& a) override { inner_->quantize_fp8(a); }
  void conv2d(const Conv2dArgs& a) override { inner_->conv2d(a); }
  void attention(const AttentionArgs& a) override { inner_->attention(a); }
  void layer_norm(const LayerNormArgs& a) override { inner_->layer_norm(a); }
  void layer_norm_modulate(const LayerNormModulateArgs& a) override {
    inner_->layer_norm_modulate(a);
  }
  void rms_norm(const RmsNormArgs& a) override { inner_->rms_norm(a); }
  void qk_norm(const QkNormArgs& a) override { inner_->qk_norm(a); }
  void group_norm(const GroupNormArgs& a) override { inner_->group_norm(a); }
  void activation(const ActivationArgs& a) override { inner_->activation(a); }
  void gated_gelu(const GatedGeluArgs& a) override { inner_->gated_gelu(a); }
  void add(const AddArgs& a) override { inner_->add(a); }
  void scale_shift(const ScaleShiftArgs& a) override { inner_->scale_shift(a); }
  void linear_combination(const LinearCombinationArgs& a) override {
    inner_->linear_combination(a);
  }

 private:
  struct Entry {
    std::string name;
    ObservedLayer* layer;
  };
  void observe_inputs(const Entry& entry, const Tensor& x);
  void sample(ObservedLayer& layer, const LinearArgs& a) const;

  std::unique_ptr<Backend> inner_;
  std::map<std::string, std::string> names_;
  ObservedLayers layers_;
  std::unordered_map<const PackedWeight*, Entry> by_weight_;
  std::int64_t calls_ = 0;  // expected of each layer; 0: not watching
};

/// Relative L2 distance of `weight`'s outputs from the sampled ones, on the sampled inputs.
[[nodiscard]] double output_error(Backend& backend, const Weight& weight, Act act,
                                  const LayerSamples& samples);

}  // namespace octet
