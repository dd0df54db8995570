// What all kernels share: conversions between number formats, addressing, reductions.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_fp8.h>
#include <cuda_runtime.h>

#include "backend/cuda/kernels.h"

namespace octet::cuda {

inline constexpr float kE4M3Largest = 448.0f;
inline constexpr float kTiny = 1e-12f;  // keeps the scale of an all-zero row away from zero

__device__ __forceinline__ float load_one(DType dtype, const void* data, std::int64_t i) {
  switch (dtype) {
    case DType::kF32:
      return static_cast<const float*>(data)[i];
    case DType::kBF16:
      return __bfloat162float(static_cast<const __nv_bfloat16*>(data)[i]);
    case DType::kF16:
      return __half2float(static_cast<const __half*>(data)[i]);
    case DType::kF8E4M3:
      return float(static_cast<const __nv_fp8_e4m3*>(data)[i]);
    case DType::kF8E5M2:
      return float(static_cast<const __nv_fp8_e5m2*>(data)[i]);
    case DType::kI32:
      return static_cast<float>(static_cast<const std::int32_t*>(data)[i]);
    case DType::kU8:
      return static_cast<float>(static_cast<const std::uint8_t*>(data)[i]);
  }
  return 0;
}

__device__ __forceinline__ void store_one(DType dtype, void* data, std::int64_t i, float v) {
  switch (dtype) {
    case DType::kF32:
      static_cast<float*>(data)[i] = v;
      return;
    case DType::kBF16:
      static_cast<__nv_bfloat16*>(data)[i] = __float2bfloat16_rn(v);
      return;
    case DType::kF16:
      static_cast<__half*>(data)[i] = __float2half_rn(v);
      return;
    case DType::kF8E4M3:
      static_cast<__nv_fp8_e4m3*>(data)[i] = __nv_fp8_e4m3(v);
      return;
    case DType::kF8E5M2:
      static_cast<__nv_fp8_e5m2*>(data)[i] = __nv_fp8_e5m2(v);
      return;
    case DType::kI32:
      static_cast<std::int32_t*>(data)[i] = static_cast<std::int32_t>(v);
      return;
    case DType::kU8:
      static_cast<std::uint8_t*>(data)[i] = static_cast<std::uint8_t>(v);
      return;
  }
}

/// Two BF16 numbers in one word, lower address first.
__device__ __forceinline__ float2 unpack_bf16(unsigned word) {
  return make_float2(__uint_as_float(word << 16), __uint_as_float(word & 0xffff0000u));
}
__device__ __forceinline__ unsigned pack_bf16(float low, float high) {
  const __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
  return *reinterpret_cast<const unsigned*>(&pair);
}
/// Four E4M3 codes in one word, saturating.
__device__ __forceinline__ unsigned pack_e4m3(float a, float b, float c, float d) {
  const unsigned low = __nv_cvt_float2_to_fp8x2(make_float2(a, b), __NV_SATFINITE, __NV_E4M3);
  const unsigned high = __nv_cvt_float2_to_fp8x2(make_float2(c, d), __NV_SATFINITE, __NV_E4M3);
  return low | (high << 16);
}

/// Eight consecutive values of a dense row of FP32 or BF16, 16-byte aligned.
template <typename T>
__device__ __forceinline__ void load8(const void* data, std::int64_t at, float (&v)[8]);
template <>
__device__ __forceinline__ void load8<float>(const void* data, std::int64_t at, float (&v)[8]) {
  const auto* p = reinterpret_cast<const float4*>(static_cast<const float*>(data) + at);
  const float4 a = p[0], b = p[1];
  v[0] = a.x, v[1] = a.y, v[2] = a.z, v[3] = a.w;
  v[4] = b.x, v[5] = b.y, v[6] = b.z, v[7] = b.w;
}
template <>
__device__ __forceinline__ void load8<__nv_bfloat16>(const void* data, std::int64_t at,
                                                     float (&v)[8]) {
  const uint4 w = *reinterpret_cast<const uint4*>(static_cast<const __nv_bfloat16*>(data) + at);
  const unsigned words[4] = {w.x, w.y, w.z, w.w};
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const float2 f = unpack_bf16(words[i]);
    v[2 * i] = f.x, v[2 * i + 1] = f.y;
  }
}
/// The same into FP32, BF16 or E4M3 memory.
__device__ __forceinline__ void store8(DType dtype, void* data, std::int64_t at,
                                       const float (&v)[8]) {
  if (dtype == DType::kF32) {
    auto* p = reinterpret_cast<float4*>(static_cast<float*>(data) + at);
    p[0] = make_float4(v[0], v[1], v[2], v[3]);
    p[1] = make_float4(v[4], v[5], v[6], v[7]);
  } else if (dtype == DType::kBF16) {
    *reinterpret_cast<uint4*>(static_cast<__nv_bfloat16*>(data) + at) = make_uint4(
        pack_bf16(v[0], v[1]), pack_bf16(v[2], v[3]), pack_bf16(v[4], v[5]), pack_bf16(v[6], v[7]));
  } else {
    *reinterpret_cast<uint2*>(static_cast<std::uint8_t*>(data) + at) =
        make_uint2(pack_e4m3(v[0], v[1], v[2], v[3]), pack_e4m3(v[4], v[5], v[6], v[7]));
  }
}

// Rows number less than 2^31 (a grid's limit), and a 32-bit division is several times cheaper.
__device__ __forceinline__ std::int64_t row_start(const RowView& v, std::int64_t row) {
  const auto r = static_cast<unsigned>(row), inner = static_cast<unsigned>(v.inner);
  const unsigned outer = r / inner;
  return outer * v.outer_stride + (r - outer * inner) * v.inner_stride;
}

struct Add {
  __device__ float operator()(float a, float b) const { return a + b; }
};
struct Max {
  __device__ float operator()(float a, float b) const { return fmaxf(a, b); }
};

/// Combines one value per thread over a block of whole warps, in a fixed order; `shared` has room
/// for 32 floats and may be used again after the call without a barrier by another call that is
/// separated by one.
template <typename F>
__device__ __forceinline__ float block_reduce(float v, F f, float neutral, float* shared) {
#pragma unroll
  for (int i = 16; i > 0; i /= 2) v = f(v, __shfl_xor_sync(~0u, v, i));
  const int warps = static_cast<int>(blockDim.x) / 32;
  if (warps == 1) return v;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  if (lane == 0) shared[threadIdx.x / 32] = v;
  __syncthreads();
  v = lane < warps ? shared[lane] : neutral;
#pragma unroll
  for (int i = 16; i > 0; i /= 2) v = f(v, __shfl_xor_sync(~0u, v, i));
  return v;
}

__device__ __forceinline__ float activate(Act act, float x) {
  switch (act) {
    case Act::kNone:
      return x;
    case Act::kSilu:
      return x / (1.0f + expf(-x));
    case Act::kGeluTanh: {  // 0.5 (1 + tanh u) = 1 / (1 + exp(-2u))
      const float u = 1.5957691216057308f * x * (1.0f + 0.044715f * x * x);
      return x / (1.0f + expf(-u));
    }
    case Act::kGeluErf:
      return 0.5f * x * erfcf(-0.70710678118654752f * x);
    case Act::kQuickGelu:
      return x / (1.0f + expf(-1.702f * x));
  }
  return x;
}

// exp(-x) overflows to infinity for very negative x, and the quotient is then 0, as it should be.
__device__ __forceinline__ float sigmoid(float x) { return __fdividef(1.0f, 1.0f + __expf(-x)); }

/// For results that are rounded to 8 bits: one approximate instruction, off by 2^-11 of x at most.
__device__ __forceinline__ float gelu_coarse(float x) {
  float t;
  asm("tanh.approx.f32 %0, %1;"
      : "=f"(t)
      : "f"(0.79788456080286536f * x * fmaf(0.044715f * x, x, 1.0f)));
  return fmaf(0.5f * x, t, 0.5f * x);
}
/// For results that are rounded to 16 bits: two approximate instructions per value.
__device__ __forceinline__ float gelu_rounded(float x) {
  return x * sigmoid(1.5957691216057308f * x * fmaf(0.044715f * x, x, 1.0f));
}

}  // namespace octet::cuda
