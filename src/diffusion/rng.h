// Initial noise, bit-equal to PyTorch's CPU generator.
//
// One TorchGenerator is one `torch.Generator("cpu").manual_seed(seed)`: successive calls continue
// the stream. Values come out in memory order (channel, row, column for a latent). Only the low
// 32 bits of the seed count, as in PyTorch. The FP32 stream equals PyTorch builds for x86-64 with
// AVX2 (their own single-precision log, sine and cosine); the BF16 stream, which is not a rounding
// of the first, is that of a bfloat16 tensor. Results are the same on every CPU.
//
// Thread-safety: one generator per thread. Errors: none.
#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <span>

namespace octet {

class TorchGenerator {
 public:
  explicit TorchGenerator(std::uint64_t seed) : engine_(static_cast<std::uint32_t>(seed)) {}

  /// torch.randn(out.size(), generator=..., dtype=torch.float32)
  void randn(std::span<float> out);
  /// torch.randn(out.size(), generator=..., dtype=torch.bfloat16), as exact FP32 values.
  void randn_bf16(std::span<float> out);

 private:
  double next_double_normal();
  double next_double_uniform();

  std::mt19937 engine_;
  std::optional<double> cached_normal_;  // second value of a pair, tensors below 16 elements
};

/// The first values of a fresh generator.
void torch_randn(std::uint64_t seed, std::span<float> out);
void torch_randn_bf16(std::uint64_t seed, std::span<float> out);

namespace internal {
/// The two variants behind randn, for tests: the portable one needs no FMA instruction.
void normal_groups_portable(float* data, std::size_t groups);
/// Returns false when this CPU cannot run it.
bool normal_groups_fma(float* data, std::size_t groups);
/// The fused multiply-add of the portable variant.
[[nodiscard]] float portable_fma(float a, float b, float c);
}  // namespace internal

}  // namespace octet
