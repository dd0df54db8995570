// CudaBackend: the class behind make_cuda_backend(). See cuda_backend.h for what it promises.
#pragma once

#include <cuda_runtime_api.h>

#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/host_slab.h"
#include "backend/cuda/kernels.h"
#include "backend/cuda/matmul.h"
#include "backend/cuda/packed_weight.h"
#include "backend/cuda/upload.h"
#include "backend/cuda/weight_ring.h"

namespace octet::cuda {

/// Device memory that grows to the largest request of its slot and is reused by the next op.
enum class Slot : std::uint8_t {
  kProduct,        // output of a product that still needs another pass
  kTiming,         // output of timed products that are their own addend
  kWeight,         // FP8 weights as BF16
  kScale,          // a scale per row where the file has one for all
  kAttention,      // attention output before it is quantised,
  kAttentionRest,  // and its second one
  kLargest,        // largest value of each element of attention's batch
  kScores,         // attention scores of a few query rows
  kNorm,           // statistics
  kFinite,         // one word: whether a value was not
  kCount,
};

[[nodiscard]] View view_of(const Tensor& t);
/// Error(kInternal) for leading dimensions that need more than two strides.
[[nodiscard]] RowView rows_of(const Tensor& t);
[[nodiscard]] RowOutput output_of(const Activation& a);

class CudaBackend final : public Backend {
 public:
  explicit CudaBackend(const CudaOptions& options);
  ~CudaBackend() override;
  CudaBackend(const CudaBackend&) = delete;
  CudaBackend& operator=(const CudaBackend&) = delete;

  [[nodiscard]] DeviceInfo info() const override;
  [[nodiscard]] Buffer allocate(std::size_t bytes) override;
  void upload(const Tensor& dst, std::span<const std::byte> src) override;
  void download(std::span<std::byte> dst, const Tensor& src) override;
  [[nodiscard]] bool all_finite(const Tensor& t) override;
  [[nodiscard]] Weight prepare(const HostWeight& weight, Compute compute) override;
  [[nodiscard]] bool takes_deferred() const override { return true; }
  void upload_deferred(const Tensor& dst, const Deferred& src) override;
  [[nodiscard]] DType stream_dtype(Compute compute) const override {
    return compute == Compute::kF32 ? DType::kF32 : DType::kBF16;
  }
  void begin_component(const std::string& name) override { component_ = name; }
  void place_weights(const WeightPlaces& places) override;
  [[nodiscard]] Buffer allocate_table(std::size_t bytes) override;
  void reserve(const DeviceScratch& scratch) override;
  [[nodiscard]] std::string product() const override { return product_; }
  [[nodiscard]] std::vector<std::string> take_remarks() override {
    return std::exchange(remarks_, {});
  }
  void synchronize() override;
  [[nodiscard]] std::unique_ptr<DeviceClock> make_clock() override;
  void repeat(std::unique_ptr<Recording>& recording, const std::function<void()>& ops) override;
  [[nodiscard]] int finish_unit() override;

  void copy(const CopyArgs& a) override;
  void fill(const FillArgs& a) override;
  void to_u8(const ToU8Args& a) override;
  void embed_tokens(const EmbedTokensArgs& a) override;
  void timestep_embedding(const TimestepEmbeddingArgs& a) override;
  void patchify(const PatchifyArgs& a) override;
  void unpatchify(const UnpatchifyArgs& a) override;
  void add_position_crop(const AddPositionCropArgs& a) override;
  void relative_position_bias(const RelativePositionBiasArgs& a) override;
  void quantize_fp8(const QuantizeFp8Args& a) override;
  void linear(const LinearArgs& a) override;
  void conv2d(const Conv2dArgs& a) override;
  void attention(const AttentionArgs& a) override;
  void layer_norm(const LayerNormArgs& a) override;
  void layer_norm_modulate(const LayerNormModulateArgs& a) override;
  void rms_norm(const RmsNormArgs& a) override;
  void qk_norm(const QkNormArgs& a) override;
  void group_norm(const GroupNormArgs& a) override;
  void activation(const ActivationArgs& a) override;
  void gated_gelu(const GatedGeluArgs& a) override;
  void add(const AddArgs& a) override;
  void scale_shift(const ScaleShiftArgs& a) override;
  void linear_combination(const LinearCombinationArgs& a) override;

 private:
  void select_device() const;
  /// The stream to launch on, with this thread bound to the device.
  [[nodiscard]] cudaStream_t stream() const;
  /// Throws when the launches of `op` were refused.
  void launched(const char* op) const;
  [[nodiscard]] void* scratch(Slot slot, std::size_t bytes);
  [[nodiscard]] Tensor scratch_like(Slot slot, DType dtype, const Tensor& t);

  // graph.cc
  [[nodiscard]] cudaGraphExec_t capture(const std::function<void()>& ops);

  // linear.cc
  [[nodiscard]] bool tiled_conv(const Conv2dArgs& a, const PackedCudaWeight& w);  // conv.cc
  [[nodiscard]] bool tuned_linear(const LinearArgs& a, const WeightParts& w);
  void tell_generic(const MatmulShape& shape);
  void generic_product(const LinearArgs& a, const WeightParts& w);
  void product_rows(const LinearArgs& a, const MatmulShape& shape, const MatmulOperands& operands);
  // attention.cc
  [[nodiscard]] bool hopper_attention(const AttentionArgs& a, const Activation& dst,
                                      const Activation& rest);
  void attention_by_parts(const AttentionArgs& args, const Tensor& dst, const Tensor& rest);
  void generic_or_composed(const AttentionArgs& a, const Tensor& dst);
  [[nodiscard]] bool composed_attention(const AttentionArgs& a, const Tensor& dst);

  int device_ = 0;
  bool poison_ring_ = false;
  bool native_fp8_ = false;
  std::string product_;               // who took the last one
  bool told_generic_ = false;         // that cuBLASLt had none for a shape
  std::vector<std::string> remarks_;  // not taken yet
  std::size_t overhead_ = 0;          // 0: the driver did not say
  cudaDeviceProp properties_{};
  cudaStream_t stream_ = nullptr;
  std::array<Buffer, static_cast<std::size_t>(Slot::kCount)> scratch_;
  std::uint64_t scratch_version_ = 0;  // counts moves: a graph knows addresses
  bool capturing_ = false;
  std::array<cudaEvent_t, 2> units_{};  // ends of the last two units of work
  std::uint64_t unit_ = 0;
  Buffer workspace_;
  std::unique_ptr<Matmul> matmul_;
  std::unique_ptr<Uploader> uploader_;

  // weights.cc
  [[nodiscard]] Buffer allocate_resident(std::size_t bytes);
  std::string component_;
  WeightPlaces places_;
  std::shared_ptr<Buffer> slab_;  // of weights that stay on the device
  std::size_t slab_used_ = 0;
  HostSlab host_slab_;  // of those that wait
  std::unique_ptr<WeightRing> ring_;
};

}  // namespace octet::cuda
