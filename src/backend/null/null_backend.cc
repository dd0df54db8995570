#include "backend/null/null_backend.h"

namespace octet {
namespace {

class NullBackend final : public Backend {
 public:
  explicit NullBackend(const NullTraits& traits) : traits_(traits) {}

  DeviceInfo info() const override {
    DeviceInfo info;
    info.kind = info.name = "null";
    return info;
  }
  void begin_component(const std::string& name) override { component_ = name; }
  Buffer allocate_table(std::size_t bytes) override { return note(bytes, true); }
  Buffer allocate(std::size_t bytes) override { return note(bytes, false); }
  Buffer note(std::size_t bytes, bool table) const {
    if (traits_.on_memory) traits_.on_memory(component_, bytes, table);
    // A non-null address that is never dereferenced; the arena only adds to it.
    return Buffer(reinterpret_cast<void*>(std::uintptr_t{1} << 12), bytes, [](void*) {});
  }
  void upload(const Tensor&, std::span<const std::byte>) override {}
  void download(std::span<std::byte>, const Tensor&) override {}
  bool all_finite(const Tensor&) override { return true; }
  void synchronize() override {}
  bool takes_deferred() const override { return true; }  // and never reads them
  void upload_deferred(const Tensor&, const Deferred&) override {}

  Weight prepare(const HostWeight& host, Compute compute) override {
    Weight w;
    w.out = host.dims[0];
    w.in = host.dims[1];
    w.kernel = host.dims.size() == 4 ? host.dims[3] : 1;
    const bool fp8 = is_fp8(host.dtype);
    w.compute = compute == Compute::kF32 || fp8 ? compute : Compute::kBF16;
    w.stored = compute == Compute::kF32 ? DType::kF32 : host.dtype;
    w.input = compute == Compute::kF32 ? DType::kF32 : DType::kBF16;
    if (w.compute == Compute::kFP8 && traits_.fp8_inputs) w.input = DType::kF8E4M3;
    w.input_scale = host.input_scale;
    w.bytes = static_cast<std::size_t>(w.out * w.in * w.kernel * w.kernel) * size_of(w.stored);
    if (traits_.on_weight) traits_.on_weight(component_, host, w);
    return w;
  }
  DType stream_dtype(Compute compute) const override {
    return compute == Compute::kF32 ? DType::kF32 : traits_.stream;
  }

  void copy(const CopyArgs&) override {}
  void fill(const FillArgs&) override {}
  void to_u8(const ToU8Args&) override {}
  void embed_tokens(const EmbedTokensArgs&) override {}
  void timestep_embedding(const TimestepEmbeddingArgs&) override {}
  void patchify(const PatchifyArgs&) override {}
  void unpatchify(const UnpatchifyArgs&) override {}
  void add_position_crop(const AddPositionCropArgs&) override {}
  void relative_position_bias(const RelativePositionBiasArgs&) override {}
  void quantize_fp8(const QuantizeFp8Args&) override {}
  void linear(const LinearArgs& a) override { note_scratch(a); }
  void conv2d(const Conv2dArgs&) override {}
  void attention(const AttentionArgs& a) override { note_scratch(a); }
  void layer_norm(const LayerNormArgs&) override {}
  void layer_norm_modulate(const LayerNormModulateArgs&) override {}
  void rms_norm(const RmsNormArgs&) override {}
  void qk_norm(const QkNormArgs&) override {}
  void group_norm(const GroupNormArgs& a) override { note_scratch(a); }
  void activation(const ActivationArgs&) override {}
  void gated_gelu(const GatedGeluArgs&) override {}
  void add(const AddArgs&) override {}
  void scale_shift(const ScaleShiftArgs&) override {}
  void linear_combination(const LinearCombinationArgs&) override {}

 private:
  template <typename Args>
  void note_scratch(const Args& a) const {
    if (traits_.scratch != nullptr) traits_.scratch->note(a);
  }

  NullTraits traits_;
  std::string component_;
};

}  // namespace

std::unique_ptr<Backend> make_null_backend(const NullTraits& traits) {
  return std::make_unique<NullBackend>(traits);
}

}  // namespace octet
