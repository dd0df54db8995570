// Register fragments of 16 x 16 BF16 elements and their tiles in shared memory, whose rows of 128
// bytes are swizzled as bulk copies leave them; and exponentials.
#pragma once

#include <cstdint>

#include "backend/cuda/device/mbarrier.cuh"

namespace octet::cuda::device {

/// Address, for this lane's part of a 16 x 16 fragment, of rows [row, row+16) and 16-byte columns
/// [column, column+2) of a swizzled tile: lanes 0-7 name the rows of the first 8 x 8 matrix, 8-15
/// those of the one below, 16-31 the same one column on.
__device__ inline std::uint32_t fragment_address(const void* tile, int row, int column) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int r = row + lane % 16;
  const int c = column + lane / 16;
  return shared_address(tile) + static_cast<std::uint32_t>(r * 128 + ((c ^ (r % 8)) << 4));
}

__device__ inline void load_fragment(std::uint32_t (&f)[4], std::uint32_t address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(f[0]), "=r"(f[1]), "=r"(f[2]), "=r"(f[3])
               : "r"(address)
               : "memory");
}

__device__ inline void store_fragment(std::uint32_t address, const std::uint32_t (&f)[4]) {
  asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(address),
               "r"(f[0]), "r"(f[1]), "r"(f[2]), "r"(f[3])
               : "memory");
}

/// Two floats rounded to nearest BF16; `low` in the low half. Volatile: stays behind a wait for the
/// tensor cores that read the register before.
__device__ inline std::uint32_t pack_bf16(float low, float high) {
  std::uint32_t packed = 0;
  asm volatile("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(packed) : "f"(high), "f"(low));
  return packed;
}

__device__ inline float2 unpack_bf16(std::uint32_t packed) {
  return make_float2(__uint_as_float(packed << 16), __uint_as_float(packed & 0xffff0000u));
}

/// 2^x on the special function unit: 16 per SM and clock, relative error 2^-22.
__device__ inline float exp2_unit(float x) {
  float y = 0;
  asm volatile("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

}  // namespace octet::cuda::device
