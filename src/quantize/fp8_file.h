// The file of an FP8 variant: which tensors it has, under which names, and their bytes.
//
// diffusers layout: the source's names; an FP8 layer is `weight` (F8_E4M3), `weight_scale` (F32,
// [out, 1] or a scalar) and, where inputs are 8 bit too, `input_scale` (F32 scalar). ComfyUI
// layout: Stability's names behind `model.diffusion_model.`, q, k and v in one, scalar scales and
// `comfy_quant` (JSON as bytes). Everything else keeps its 16 bits; FP32 matrices become BF16,
// FP32 vectors stay.
//
// Values are computed one tensor after the other while they are written. Not thread-safe.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/atomic_file.h"
#include "base/thread_pool.h"
#include "checkpoint/safetensors_writer.h"
#include "octet/quantize.h"
#include "quantize/source_weights.h"

namespace octet {

/// What to make of the source.
struct Fp8Plan {
  Fp8Layout layout = Fp8Layout::kDiffusers;
  WeightScale weight_scale = WeightScale::kRow;
  bool modulation_fp8 = false;
  std::map<std::string, float> input_scales;  // by layer group; absent: the layer stays 16 bit
};

/// A tensor and how to get its bytes; called once, in the order of the file.
struct OutTensor {
  TensorEntry entry;
  std::function<std::vector<std::byte>()> bytes;
};

/// Wide elements first, then by name. `source` and `pool` must outlive the result.
[[nodiscard]] std::vector<OutTensor> fp8_tensors(const SourceWeights& source, const Fp8Plan& plan,
                                                 ThreadPool& pool);

using Metadata = std::map<std::string, std::string>;

/// Writes a file whose metadata can be exchanged in place, as long as its text does not grow over
/// `metadata_bytes`. `progress` is called after each tensor with their number.
class Fp8File {
 public:
  Fp8File(PendingFile& file, std::vector<OutTensor> tensors, std::size_t metadata_bytes);
  void write(const Metadata& metadata, const std::function<void(int done, int total)>& progress);
  void replace(const Metadata& metadata);
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  [[nodiscard]] std::string header(const Metadata& metadata) const;

  PendingFile& file_;
  std::vector<OutTensor> tensors_;
  std::vector<TensorEntry> entries_;
  std::size_t header_bytes_;
  std::uint64_t bytes_ = 0;
};

}  // namespace octet
