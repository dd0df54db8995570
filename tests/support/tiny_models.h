// Small random models under exactly the tensor names of the diffusers layout. Sizes are odd where
// the architecture allows it.
#pragma once

#include "support/tensors.h"

namespace octet::test {

enum class Family { kSd3Medium, kSd35Medium, kSd35Large };

struct MmditSpec {
  Family family = Family::kSd35Large;
  std::int64_t depth = 2;  // width = 64 * depth
  std::int64_t channels = 5, patch = 2, positions = 7;
  std::int64_t text_width = 72, pooled_width = 56;
  std::int64_t dual_blocks = 1;  // of kSd35Medium, from the first
};
struct ClipSpec {
  std::int64_t vocabulary = 100, tokens = 77, width = 24, hidden = 40, layers = 2;
  std::int64_t projection = 0;       // rows of text_projection; 0: none
  bool identity_projection = false;  // as CLIP-L files carry it
  std::string prefix = "text_model.";
};
struct T5Spec {
  std::int64_t vocabulary = 100, width = 72, heads = 3, head_width = 10, hidden = 50, layers = 2;
};
struct VaeSpec {
  std::int64_t channels = 5, layers = 1;
  std::vector<std::int64_t> widths = {4, 8, 8, 12};  // from pixels to latents
  bool attention = true;
};

[[nodiscard]] TensorMap mmdit_tensors(const MmditSpec& spec, unsigned seed = 1);
[[nodiscard]] TensorMap clip_tensors(const ClipSpec& spec, unsigned seed = 2);
[[nodiscard]] TensorMap t5_tensors(const T5Spec& spec, unsigned seed = 3);
[[nodiscard]] TensorMap vae_tensors(const VaeSpec& spec, unsigned seed = 4);

/// Every linear weight of the blocks as E4M3 codes with one scale per row.
[[nodiscard]] TensorMap with_fp8_blocks(TensorMap tensors);
/// All tensors in another float dtype.
[[nodiscard]] TensorMap as_dtype(TensorMap tensors, DType dtype);

}  // namespace octet::test
