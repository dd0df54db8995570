#include "backend/profile/profiling_backend.h"

#include "base/check.h"

namespace octet {
namespace {

class Profiler final : public ProfilingBackend {
 public:
  Profiler(Backend& inner, OpLog& log, bool timed)
      : inner_(inner), log_(log), clock_(timed ? inner.make_clock() : nullptr) {}

  void finish() override {
    if (!clock_) return;
    const std::vector<double> marks = clock_->seconds();
    OCTET_CHECK(marks.size() == 2 * log_.calls.size(), "%zu marks", marks.size());
    for (std::size_t i = 0; i < log_.calls.size(); ++i) {
      log_.calls[i].seconds = marks[2 * i + 1] - marks[2 * i];
    }
  }

  DeviceInfo info() const override { return inner_.info(); }
  Buffer allocate(std::size_t bytes) override { return inner_.allocate(bytes); }
  void upload(const Tensor& dst, std::span<const std::byte> src) override {
    inner_.upload(dst, src);
  }
  void download(std::span<std::byte> dst, const Tensor& src) override { inner_.download(dst, src); }
  bool all_finite(const Tensor& t) override { return inner_.all_finite(t); }
  Weight prepare(const HostWeight& weight, Compute compute) override {
    return inner_.prepare(weight, compute);
  }
  bool takes_deferred() const override { return inner_.takes_deferred(); }
  void upload_deferred(const Tensor& dst, const Deferred& src) override {
    inner_.upload_deferred(dst, src);
  }
  DType stream_dtype(Compute compute) const override { return inner_.stream_dtype(compute); }
  void synchronize() override { inner_.synchronize(); }

  void copy(const CopyArgs& a) override { note(&Ops::copy, a); }
  void fill(const FillArgs& a) override { note(&Ops::fill, a); }
  void to_u8(const ToU8Args& a) override { note(&Ops::to_u8, a); }
  void embed_tokens(const EmbedTokensArgs& a) override { note(&Ops::embed_tokens, a); }
  void timestep_embedding(const TimestepEmbeddingArgs& a) override {
    note(&Ops::timestep_embedding, a);
  }
  void patchify(const PatchifyArgs& a) override { note(&Ops::patchify, a); }
  void unpatchify(const UnpatchifyArgs& a) override { note(&Ops::unpatchify, a); }
  void add_position_crop(const AddPositionCropArgs& a) override {
    note(&Ops::add_position_crop, a);
  }
  void relative_position_bias(const RelativePositionBiasArgs& a) override {
    note(&Ops::relative_position_bias, a);
  }
  void quantize_fp8(const QuantizeFp8Args& a) override { note(&Ops::quantize_fp8, a); }
  void linear(const LinearArgs& a) override {
    note(&Ops::linear, a);
    const std::string product = inner_.product();
    if (!product.empty()) log_.calls.back().cost.shape += " by " + product;
  }
  void conv2d(const Conv2dArgs& a) override { note(&Ops::conv2d, a); }
  void attention(const AttentionArgs& a) override { note(&Ops::attention, a); }
  void layer_norm(const LayerNormArgs& a) override { note(&Ops::layer_norm, a); }
  void layer_norm_modulate(const LayerNormModulateArgs& a) override {
    note(&Ops::layer_norm_modulate, a);
  }
  void rms_norm(const RmsNormArgs& a) override { note(&Ops::rms_norm, a); }
  void qk_norm(const QkNormArgs& a) override { note(&Ops::qk_norm, a); }
  void group_norm(const GroupNormArgs& a) override { note(&Ops::group_norm, a); }
  void activation(const ActivationArgs& a) override { note(&Ops::activation, a); }
  void gated_gelu(const GatedGeluArgs& a) override { note(&Ops::gated_gelu, a); }
  void add(const AddArgs& a) override { note(&Ops::add, a); }
  void scale_shift(const ScaleShiftArgs& a) override { note(&Ops::scale_shift, a); }
  void linear_combination(const LinearCombinationArgs& a) override {
    note(&Ops::linear_combination, a);
  }

 private:
  template <typename Args>
  void note(void (Ops::*op)(const Args&), const Args& a) {
    log_.calls.push_back({.cost = cost_of(a), .stage = log_.stage});
    if (clock_) clock_->mark();
    (inner_.*op)(a);
    if (clock_) clock_->mark();
  }

  Backend& inner_;
  OpLog& log_;
  std::unique_ptr<DeviceClock> clock_;
};

}  // namespace

std::unique_ptr<ProfilingBackend> make_profiling_backend(Backend& inner, OpLog& log, bool timed) {
  return std::make_unique<Profiler>(inner, log, timed);
}

}  // namespace octet
