// Models of the family's exact shapes with random weights, for measuring speed and memory without
// licensed files: "synthetic:sd3.5-large@fp8".
//
//   synthetic:NAME[-tiny][@fp8|@fp8-static|@bf16]   NAME: sd3.5-large, sd3.5-medium, sd3-medium
//
// The model is a FileSet in the diffusers layout whose weight files exist as a formula only
// (tensor/random_codes.h), so everything behind it, from header checks to the digest, is the code
// that reads real files. Deviations are chosen so that activations keep a sane scale through all
// blocks: linears 1/sqrt(inputs), q/k norms about 1, gates about 0.15. @fp8 (the default):
// attention and MLP layers of transformer and T5 in E4M3 with one scale per row, all else BF16.
// @fp8-static: the transformer's have one scale for the weight and one, embedded too, for the
// input, as `octet quantize --weight-scale tensor` writes them; T5 as in @fp8.
// "-tiny" keeps the structure and shrinks every size, for tests. The pictures are noise.
//
// Errors: Error(kInvalidArgument) for names that are not in the table.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "checkpoint/files.h"
#include "tensor/random_codes.h"

namespace octet {

inline constexpr const char* kSyntheticPrefix = "synthetic:";

enum class SyntheticFormat : std::uint8_t { kBF16, kFP8, kFP8Static };

struct SyntheticTensor {
  std::string name;
  std::vector<std::int64_t> dims;
  RandomCodes codes;
};

/// Sizes of one model of the family.
struct SyntheticSizes {
  const char* name;
  std::int64_t depth;  // width = 64 x depth
  std::int64_t dual;   // leading blocks with a second attention
  bool qk_norm;
  std::int64_t positions;  // side of the position table
  struct Clip {
    std::int64_t width, hidden, layers, heads, vocabulary;
    bool projection;
  } clip_l, clip_g;
  struct T5 {
    std::int64_t width, hidden, layers, heads, vocabulary;
  } t5;
  std::int64_t vae_width;  // channels at full size; 1, 2, 4 and 4 times that below
  std::int64_t vae_groups;
};

/// Tensors of one component ("transformer", "text_encoder_3", ...).
[[nodiscard]] std::vector<SyntheticTensor> synthetic_tensors(const SyntheticSizes& sizes,
                                                             const std::string& component,
                                                             SyntheticFormat format);

/// `model` with the prefix, as given to --model.
[[nodiscard]] std::unique_ptr<FileSet> open_synthetic(const std::string& model);

/// What may follow the prefix, without "-tiny", for messages and help.
[[nodiscard]] std::string synthetic_names();

}  // namespace octet
