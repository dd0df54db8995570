// A null backend that remembers which ops ran, with the shape of what they wrote.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "backend/null/null_backend.h"

namespace octet::test {

struct OpRecord {
  std::string op;
  Tensor dst;
  Tensor keys;  // of an attention
};

class RecordingBackend final : public Backend {
 public:
  explicit RecordingBackend(const NullTraits& traits = {}) : inner_(make_null_backend(traits)) {}

  [[nodiscard]] const std::vector<OpRecord>& ops() const { return ops_; }
  [[nodiscard]] std::size_t count(const std::string& op) const {
    return static_cast<std::size_t>(
        std::count_if(ops_.begin(), ops_.end(), [&](const OpRecord& r) { return r.op == op; }));
  }
  void clear() { ops_.clear(); }
  int units_behind = 0;  // what finish_unit says
  int at_once = 1 << 20;
  [[nodiscard]] int pictures_at_once() const override { return at_once; }
  std::string kind = "null";
  std::vector<std::string> remarks;
  [[nodiscard]] std::vector<std::string> take_remarks() override {
    return std::exchange(remarks, {});
  }
  std::string product_of_all;
  [[nodiscard]] std::string product() const override { return product_of_all; }
  DeviceScratch reserved, needed;  // what was asked for, and what the ops since would take
  int reservations = 0;
  void reserve(const DeviceScratch& scratch) override {
    reserved = scratch;
    ++reservations;
  }
  [[nodiscard]] int finish_unit() override { return units_behind; }
  [[nodiscard]] std::size_t prepared() const { return prepared_; }

  [[nodiscard]] DeviceInfo info() const override {
    DeviceInfo info = inner_->info();
    info.kind = kind;
    return info;
  }
  [[nodiscard]] Buffer allocate(std::size_t bytes) override { return inner_->allocate(bytes); }
  void upload(const Tensor&, std::span<const std::byte>) override {}
  void download(std::span<std::byte>, const Tensor&) override {}
  [[nodiscard]] bool all_finite(const Tensor&) override { return true; }
  void synchronize() override {}
  [[nodiscard]] Weight prepare(const HostWeight& weight, Compute compute) override {
    ++prepared_;
    return inner_->prepare(weight, compute);
  }
  [[nodiscard]] DType stream_dtype(Compute compute) const override {
    return inner_->stream_dtype(compute);
  }

  void copy(const CopyArgs& a) override { note("copy", a.dst); }
  void fill(const FillArgs& a) override { note("fill", a.dst); }
  void to_u8(const ToU8Args& a) override { note("to_u8", a.dst); }
  void embed_tokens(const EmbedTokensArgs& a) override { note("embed_tokens", a.dst); }
  void timestep_embedding(const TimestepEmbeddingArgs& a) override {
    note("timestep_embedding", a.dst);
  }
  void patchify(const PatchifyArgs& a) override { note("patchify", a.dst); }
  void unpatchify(const UnpatchifyArgs& a) override { note("unpatchify", a.dst); }
  void add_position_crop(const AddPositionCropArgs& a) override { note("add_position_crop", a.x); }
  void relative_position_bias(const RelativePositionBiasArgs& a) override {
    note("relative_position_bias", a.dst);
  }
  void quantize_fp8(const QuantizeFp8Args& a) override { note("quantize_fp8", a.dst.data); }
  void linear(const LinearArgs& a) override {
    needed.note(a);
    note("linear", a.dst.data);
  }
  void conv2d(const Conv2dArgs& a) override { note("conv2d", a.dst); }
  void attention(const AttentionArgs& a) override {
    needed.note(a);
    ops_.push_back({"attention", a.dst.data, a.k});
  }
  void layer_norm(const LayerNormArgs& a) override { note("layer_norm", a.dst.data); }
  void layer_norm_modulate(const LayerNormModulateArgs& a) override {
    note("layer_norm_modulate", a.x);
  }
  void rms_norm(const RmsNormArgs& a) override { note("rms_norm", a.dst.data); }
  void qk_norm(const QkNormArgs& a) override { note("qk_norm", a.x); }
  void group_norm(const GroupNormArgs& a) override {
    needed.note(a);
    note("group_norm", a.dst);
  }
  void activation(const ActivationArgs& a) override { note("activation", a.dst.data); }
  void gated_gelu(const GatedGeluArgs& a) override { note("gated_gelu", a.dst.data); }
  void add(const AddArgs& a) override { note("add", a.dst); }
  void scale_shift(const ScaleShiftArgs& a) override { note("scale_shift", a.dst); }
  void linear_combination(const LinearCombinationArgs& a) override {
    note("linear_combination", a.dst);
  }

 private:
  void note(const char* op, const Tensor& dst) { ops_.push_back({op, dst, {}}); }

  std::unique_ptr<Backend> inner_;
  std::vector<OpRecord> ops_;
  std::size_t prepared_ = 0;
};

}  // namespace octet::test
