// The class behind make_cpu_backend, private to this folder: one .cc file per family of ops.
#pragma once

#include <algorithm>
#include <vector>

#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/isa/kernels.h"
#include "backend/cpu/packed_weight.h"
#include "base/thread_pool.h"

namespace octet::cpu {

/// Grow-only memory of one worker. Slots are independent; a slot's old content is lost on growth.
class Scratch {
 public:
  enum Slot { kInput, kPanel, kSums, kRow, kRow2, kExtra, kCount };
  [[nodiscard]] float* floats(Slot slot, std::int64_t count);

 private:
  Buffer slots_[kCount];
};

/// Pointers to the rows of a tensor (all dimensions but the last), quick when visited in order.
class Rows {
 public:
  explicit Rows(const Tensor& t) : t_(t), size_(static_cast<std::int64_t>(size_of(t.dtype))) {}
  [[nodiscard]] const Tensor& tensor() const { return t_; }
  [[nodiscard]] void* at(std::int64_t index) {
    index == next_ ? step() : seek(index);
    next_ = index + 1;
    return t_.as<char>() + offset_ * size_;
  }

 private:
  void step();
  void seek(std::int64_t index);

  Tensor t_;
  std::int64_t size_;
  std::int64_t next_ = -1;
  std::int64_t offset_ = 0;
  Dims position_{};
};

/// Rows as FP32: in place, or converted into `buffer`.
class RowReader {
 public:
  RowReader(const Kernels& kernels, const Tensor& t, float* buffer)
      : kernels_(kernels), rows_(t), buffer_(buffer) {}
  [[nodiscard]] const float* at(std::int64_t index);

 private:
  const Kernels& kernels_;
  Rows rows_;
  float* buffer_;
};

/// Rows computed as FP32 and stored as the destination wants them, FP8 with its scale.
class RowWriter {
 public:
  RowWriter(const Kernels& kernels, const Activation& dst, float* buffer)
      : kernels_(kernels), rows_(dst.data), scale_(dst.scale), buffer_(buffer) {}
  /// Calls compute(float* row) with room for one row.
  template <typename Compute>
  void write(std::int64_t index, Compute&& compute) {
    if (rows_.tensor().dtype == DType::kF32) {
      compute(static_cast<float*>(rows_.at(index)));
    } else {
      compute(buffer_);
      store(index, buffer_);
    }
  }
  void store(std::int64_t index, const float* row);

 private:
  const Kernels& kernels_;
  Rows rows_;
  Tensor scale_;
  float* buffer_;
};

/// One product of rows with a packed weight: what linear() and 1x1 convolutions have in common.
struct Product {
  const PackedCpuWeight* weight = nullptr;
  std::int64_t rows = 0;
  std::int64_t in = 0;  // elements of a row
  DType x_dtype = DType::kF32;
  const unsigned char* x = nullptr;
  const std::int64_t* x_offsets = nullptr;  // elements, one per row
  FinishTile finish{};  // dst, residual, act, row scale; tile fields are filled in later
};

class CpuBackend final : public Backend {
 public:
  CpuBackend(const Kernels& kernels, int threads) : kernels_(kernels), pool_(threads) {
    scratch_.resize(static_cast<std::size_t>(pool_.threads()));
  }

  [[nodiscard]] DeviceInfo info() const override;
  [[nodiscard]] Buffer allocate(std::size_t bytes) override { return allocate_host(bytes); }
  void upload(const Tensor& dst, std::span<const std::byte> src) override;
  void download(std::span<std::byte> dst, const Tensor& src) override;
  [[nodiscard]] Weight prepare(const HostWeight& weight, Compute compute) override;
  // Each thread reads the rows that it packs: no copy of the weight, and no wait for the whole.
  [[nodiscard]] bool takes_deferred() const override { return true; }
  void upload_deferred(const Tensor& dst, const Deferred& src) override;
  [[nodiscard]] DType stream_dtype(Compute) const override { return DType::kF32; }
  [[nodiscard]] int pictures_at_once() const override { return 2; }  // measured: docs/perf-log.md
  void synchronize() override {}

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
  Scratch& scratch(int worker) { return scratch_[static_cast<std::size_t>(worker)]; }

  /// Splits `rows` rows of `cost` elements each among the threads: body(begin, end, worker).
  template <typename Body>
  void for_rows(std::int64_t rows, std::int64_t cost, Body&& body) {
    constexpr std::int64_t kSmall = 8192;  // elements that are not worth a second thread
    const std::int64_t pieces =
        std::min<std::int64_t>({rows, rows * cost / kSmall + 1, 4 * std::int64_t{pool_.threads()}});
    pool_.parallel_for(pieces, [&](std::int64_t i, int worker) {
      body(rows * i / pieces, rows * (i + 1) / pieces, worker);
    });
  }

  void run_product(const Product& p);
  void decode(const PackedCpuWeight& w, std::int64_t panel, std::int64_t begin, std::int64_t end,
              float* dst) const;
  void linear_to_fp8(const LinearArgs& a, Product p);
  void conv_block(const Conv2dArgs& a, const struct ConvBlock& block, int worker);
  void fill_strip(const Conv2dArgs& a, const struct ConvBlock& block, int worker);
  void attention_rows(const AttentionArgs& a, const Tensor& dst, const struct HeadRows& part,
                      int worker);

  const Kernels& kernels_;
  ThreadPool pool_;
  std::vector<Scratch> scratch_;
  // Used by the calling thread between parallel sections.
  std::vector<std::int64_t> x_offsets_, dst_offsets_, residual_offsets_;
  std::vector<double> moments_;  // group_norm: mean and squares of each piece and group
  Scratch shared_;
};

/// Offsets in elements of all rows of t.
void row_offsets(const Tensor& t, std::vector<std::int64_t>& offsets);

}  // namespace octet::cpu
