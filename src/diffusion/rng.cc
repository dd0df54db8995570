#include "diffusion/rng.h"

#include <array>
#include <cmath>
#include <cstring>
#include <numbers>

namespace octet {
namespace {

constexpr std::size_t kGroup = 16;  // PyTorch pairs uniform j with uniform j + 8 of a group

// Single-precision fused multiply-add without the instruction: the product is exact in FP64; the
// sum is rounded to odd there, which makes the second rounding, to FP32, correct. (Boldo and
// Melquiond, "Emulation of FMA and correctly rounded sums", 2008.) No overflow in our range.
struct PortableFma {
  float operator()(float a, float b, float c) const {
    const double product = static_cast<double>(a) * static_cast<double>(b);
    const double addend = c;
    const double sum = product + addend;
    const double part = sum - product;
    const double error = (product - (sum - part)) + (addend - part);
    std::uint64_t bits;
    std::memcpy(&bits, &sum, sizeof(bits));
    if (error != 0 && (bits & 1) == 0) {
      // Toward the exact value: magnitude grows when error and sum have the same sign.
      bits += (error > 0) == (sum > 0) ? std::uint64_t{1} : ~std::uint64_t{0};
    }
    double odd;
    std::memcpy(&odd, &bits, sizeof(odd));
    return static_cast<float>(odd);
  }
};

// Compiled to the instruction where the surrounding function's target has it.
struct NativeFma {
  [[gnu::always_inline]] inline float operator()(float a, float b, float c) const {
    return __builtin_fmaf(a, b, c);
  }
};

// Natural logarithm of x in (0, 1], polynomial of the Cephes library with the contractions of
// PyTorch's build.
template <typename Fma>
[[gnu::always_inline]] inline float cephes_log(float x, Fma fma) {
  constexpr float kSqrtHalf = 0.707106781f;
  std::uint32_t bits;
  std::memcpy(&bits, &x, sizeof(bits));
  float e = static_cast<float>(static_cast<int>(bits >> 23) - 126);
  bits = (bits & 0x007fffffu) | 0x3f000000u;
  float m;
  std::memcpy(&m, &bits, sizeof(m));  // in [0.5, 1)
  const bool low = m < kSqrtHalf;
  e = low ? e - 1.0f : e;
  x = low ? (m - 1.0f) + m : m - 1.0f;
  const float z = x * x;
  float y = 7.0376836292e-2f;
  y = fma(y, x, -1.1514610310e-1f);
  y = fma(y, x, 1.1676998740e-1f);
  y = fma(y, x, -1.2420140846e-1f);
  y = fma(y, x, 1.4249322787e-1f);
  y = fma(y, x, -1.6668057665e-1f);
  y = fma(y, x, 2.0000714765e-1f);
  y = fma(y, x, -2.4999993993e-1f);
  y = fma(y, x, 3.3333331174e-1f);
  y = y * x;
  y = fma(y, z, e * -2.12194440e-4f);
  y = y - z * 0.5f;
  x = x + y;
  return fma(e, 0.693359375f, x);
}

struct SinCos {
  float sin, cos;
};

// Sine and cosine of theta >= 0, from the same source.
template <typename Fma>
[[gnu::always_inline]] inline SinCos cephes_sincos(float theta, Fma fma) {
  const int j = (static_cast<int>(theta * 1.27323954473516f) + 1) & ~1;
  const float octant = static_cast<float>(j);
  float x = fma(octant, -0.78515625f, theta);
  x = fma(octant, -2.4187564849853515625e-4f, x);
  x = fma(octant, -3.77489497744594108e-8f, x);
  const float z = x * x;
  float c = 2.443315711809948e-5f;
  c = fma(c, z, -1.388731625493765e-3f);
  c = fma(c, z, 4.166664568298827e-2f);
  c = c * z;
  c = fma(c, z, -(z * 0.5f));
  c = c + 1.0f;
  float s = -1.9515295891e-4f;
  s = fma(s, z, 8.3321608736e-3f);
  s = fma(s, z, -1.6666654611e-1f);
  s = s * z;
  s = fma(s, x, x);
  const bool swapped = (j & 2) != 0;
  const float sine = swapped ? c : s;
  const float cosine = swapped ? s : c;
  return {(j & 4) != 0 ? -sine : sine, ((j - 2) & 4) == 0 ? -cosine : cosine};
}

// Box-Muller on groups of 16 uniforms, in place.
template <typename Fma>
[[gnu::always_inline]] inline void normal_groups(float* data, std::size_t groups, Fma fma) {
  constexpr float kTwoPi = static_cast<float>(2.0 * std::numbers::pi);
  for (std::size_t g = 0; g < groups; ++g, data += kGroup) {
    for (int j = 0; j < 8; ++j) {
      const float radius = std::sqrt(-2.0f * cephes_log(1.0f - data[j], fma));
      const SinCos angle = cephes_sincos(kTwoPi * data[j + 8], fma);
      // PyTorch applies mean 0 and deviation 1, which turns -0 into +0.
      data[j] = radius * angle.cos + 0.0f;
      data[j + 8] = radius * angle.sin + 0.0f;
    }
  }
}

void transform(float* data, std::size_t groups) {
  if (!internal::normal_groups_fma(data, groups)) internal::normal_groups_portable(data, groups);
}

float round_bf16(float value) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  bits = (bits + 0x7fffu + ((bits >> 16) & 1u)) & 0xffff0000u;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

// A BF16 uniform has 8 bits, so each function of it has 256 values.
struct Bf16Tables {
  std::array<float, 256> radius, cos, sin;
  Bf16Tables() {
    for (std::size_t i = 0; i < 256; ++i) {
      const float u = static_cast<float>(i) / 256.0f;
      const float log = round_bf16(std::log(round_bf16(1.0f - u)));
      radius[i] = round_bf16(std::sqrt(round_bf16(-2.0f * log)));
      const float theta = round_bf16(static_cast<float>(2.0 * std::numbers::pi * u));
      cos[i] = round_bf16(std::cos(theta));
      sin[i] = round_bf16(std::sin(theta));
    }
  }
};

void normal_group_bf16(float* data) {
  static const Bf16Tables tables;
  for (int j = 0; j < 8; ++j) {
    const float radius = tables.radius[static_cast<std::size_t>(data[j] * 256.0f)];
    const auto angle = static_cast<std::size_t>(data[j + 8] * 256.0f);
    data[j] = round_bf16(radius * tables.cos[angle]) + 0.0f;
    data[j + 8] = round_bf16(radius * tables.sin[angle]) + 0.0f;
  }
}

// The uniforms of a stream: `bits` low bits of a draw, as a fraction.
void fill_uniform(std::mt19937& engine, std::span<float> out, int bits) {
  const std::uint32_t mask = (1u << bits) - 1u;
  const float unit = 1.0f / static_cast<float>(1u << bits);
  for (float& value : out) {
    value = static_cast<float>(static_cast<std::uint32_t>(engine()) & mask) * unit;
  }
}

}  // namespace

namespace internal {

float portable_fma(float a, float b, float c) { return PortableFma{}(a, b, c); }

void normal_groups_portable(float* data, std::size_t groups) {
  normal_groups(data, groups, PortableFma{});
}

#if defined(__x86_64__)
[[gnu::target("avx2,fma")]] static void normal_groups_avx2(float* data, std::size_t groups) {
  normal_groups(data, groups, NativeFma{});
}
bool normal_groups_fma(float* data, std::size_t groups) {
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return false;
  normal_groups_avx2(data, groups);
  return true;
}
#else
bool normal_groups_fma(float* data, std::size_t groups) {
  normal_groups(data, groups, NativeFma{});
  return true;
}
#endif

}  // namespace internal

double TorchGenerator::next_double_uniform() {
  const std::uint64_t high = engine_();
  const std::uint64_t bits = (high << 32 | engine_()) & ((std::uint64_t{1} << 53) - 1);
  return static_cast<double>(bits) * 0x1p-53;
}

double TorchGenerator::next_double_normal() {
  if (cached_normal_) {
    const double value = *cached_normal_;
    cached_normal_.reset();
    return value;
  }
  const double u1 = next_double_uniform();
  const double u2 = next_double_uniform();
  const double radius = std::sqrt(-2.0 * std::log1p(-u2));
  const double theta = 2.0 * std::numbers::pi * u1;
  cached_normal_ = radius * std::sin(theta);
  return radius * std::cos(theta);
}

void TorchGenerator::randn(std::span<float> out) {
  if (out.size() < kGroup) {
    for (float& value : out) value = static_cast<float>(next_double_normal());
    return;
  }
  fill_uniform(engine_, out, 24);
  transform(out.data(), out.size() / kGroup);
  if (out.size() % kGroup == 0) return;
  const std::span<float> tail = out.last(kGroup);
  fill_uniform(engine_, tail, 24);
  transform(tail.data(), 1);
}

void TorchGenerator::randn_bf16(std::span<float> out) {
  if (out.size() < kGroup) {
    for (float& value : out) value = round_bf16(static_cast<float>(next_double_normal()));
    return;
  }
  fill_uniform(engine_, out, 8);
  for (std::size_t i = 0; i + kGroup <= out.size(); i += kGroup) normal_group_bf16(&out[i]);
  if (out.size() % kGroup == 0) return;
  const std::span<float> tail = out.last(kGroup);
  fill_uniform(engine_, tail, 8);
  normal_group_bf16(tail.data());
}

void torch_randn(std::uint64_t seed, std::span<float> out) { TorchGenerator(seed).randn(out); }

void torch_randn_bf16(std::uint64_t seed, std::span<float> out) {
  TorchGenerator(seed).randn_bf16(out);
}

}  // namespace octet
