// What an op costs on paper: floating-point operations, and bytes that must move at least once.
//
// FLOPs count products and sums of matrix multiplications, convolutions and attention (two each);
// other ops count none, their ceiling is memory. Bytes are every operand and the weight once, so
// reading one twice does not raise them. Pure functions.
#pragma once

#include <string>

#include "backend/ops.h"

namespace octet {

struct OpCost {
  std::string op;       // "linear"
  std::string shape;    // "8192x9728 k2432 fp8", equal for ops that do equal work
  std::string numbers;  // "fp8", "bf16" or "f32": the units that the product runs on; else empty
  double flops = 0;
  double bytes = 0;
};

[[nodiscard]] OpCost cost_of(const CopyArgs& a);
[[nodiscard]] OpCost cost_of(const FillArgs& a);
[[nodiscard]] OpCost cost_of(const ToU8Args& a);
[[nodiscard]] OpCost cost_of(const EmbedTokensArgs& a);
[[nodiscard]] OpCost cost_of(const TimestepEmbeddingArgs& a);
[[nodiscard]] OpCost cost_of(const PatchifyArgs& a);
[[nodiscard]] OpCost cost_of(const UnpatchifyArgs& a);
[[nodiscard]] OpCost cost_of(const AddPositionCropArgs& a);
[[nodiscard]] OpCost cost_of(const RelativePositionBiasArgs& a);
[[nodiscard]] OpCost cost_of(const QuantizeFp8Args& a);
[[nodiscard]] OpCost cost_of(const LinearArgs& a);
[[nodiscard]] OpCost cost_of(const Conv2dArgs& a);
[[nodiscard]] OpCost cost_of(const AttentionArgs& a);
[[nodiscard]] OpCost cost_of(const LayerNormArgs& a);
[[nodiscard]] OpCost cost_of(const LayerNormModulateArgs& a);
[[nodiscard]] OpCost cost_of(const RmsNormArgs& a);
[[nodiscard]] OpCost cost_of(const QkNormArgs& a);
[[nodiscard]] OpCost cost_of(const GroupNormArgs& a);
[[nodiscard]] OpCost cost_of(const ActivationArgs& a);
[[nodiscard]] OpCost cost_of(const GatedGeluArgs& a);
[[nodiscard]] OpCost cost_of(const AddArgs& a);
[[nodiscard]] OpCost cost_of(const ScaleShiftArgs& a);
[[nodiscard]] OpCost cost_of(const LinearCombinationArgs& a);

}  // namespace octet
