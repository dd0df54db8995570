// Products of a warpgroup (128 threads) on Hopper's tensor cores, BF16 in and FP32 out.
//
// D[64,64] += A[64,16] B[16,64]. A and D lie in registers: thread t of the group holds, with
// g = t/4 % 8, c = t % 4 and w = t/32, of D the element (16 w + g + 8 (i/2 % 2),
// 8 (i/4) + 2 c + i % 2) in d[i], and of A the BF16 pairs of the same columns, rows g and g + 8,
// columns 2c and 2c + 8: a[0] = (g, 2c), a[1] = (g+8, 2c), a[2] = (g, 2c+8), a[3] = (g+8, 2c+8).
// So packed pairs of d[8j .. 8j+7] are the A of the j-th group of 16 columns.
// B lies in shared memory in rows of 128 bytes, swizzled by 128 bytes, 1024-byte aligned.
// Rate: 2048 multiply-adds per SM and clock, so 32 clocks per instruction.
#pragma once

#include <cstdint>

#include "backend/cuda/device/mbarrier.cuh"

namespace octet::cuda::device {

/// How rows of B lie in shared memory.
enum class Layout {
  kDepthInRow,   // a row holds 64 consecutive k of one column (B^T row-major)
  kColumnInRow,  // a row holds 64 columns of one k (B row-major)
};

/// An operand in rows of 128 swizzled bytes whose groups of 8 rows are 1024 bytes apart. Only the
/// low half of its descriptor varies (address / 16), so moving it is one 32-bit addition.
struct Operand {
  std::uint32_t address = 0;  // in units of 16 bytes
  __device__ Operand operator+(int units) const {
    return {address + static_cast<std::uint32_t>(units)};
  }
  [[nodiscard]] __device__ std::uint64_t descriptor() const {
    constexpr std::uint32_t kSwizzle128 = 1u << 30;
    constexpr std::uint32_t kGroupStride = 1024 >> 4;
    std::uint64_t both = 0;
    asm("mov.b64 %0, {%1, %2};" : "=l"(both) : "r"(address), "n"(kSwizzle128 | kGroupStride));
    return both;
  }
};
__device__ inline Operand operand(const void* p) { return {(shared_address(p) & 0x3ffff) >> 4}; }

/// Before the first product, and whenever its registers were written by other instructions.
__device__ inline void wgmma_fence() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
__device__ inline void wgmma_commit() {
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}
/// Waits until at most kPending of this warp's latest groups are unfinished.
template <int kPending>
__device__ inline void wgmma_wait() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(kPending) : "memory");
}
/// Keeps the compiler from moving uses of registers across this point.
template <int kCount>
__device__ inline void pin(float (&registers)[kCount]) {
#pragma unroll
  for (int i = 0; i < kCount; ++i) asm volatile("" : "+f"(registers[i])::"memory");
}

/// d = a * b; d is not read, which frees its registers for use before; asynchronous.
template <Layout kLayout>
__device__ inline void multiply(float (&d)[32], const std::uint32_t* a, Operand b) {
  asm volatile(
      "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 "
      "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15,"
      " %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31},"
      " {%32, %33, %34, %35}, %36, 0, 1, 1, %37;"
      : "=f"(d[0]), "=f"(d[1]), "=f"(d[2]), "=f"(d[3]), "=f"(d[4]), "=f"(d[5]), "=f"(d[6]),
        "=f"(d[7]), "=f"(d[8]), "=f"(d[9]), "=f"(d[10]), "=f"(d[11]), "=f"(d[12]), "=f"(d[13]),
        "=f"(d[14]), "=f"(d[15]), "=f"(d[16]), "=f"(d[17]), "=f"(d[18]), "=f"(d[19]), "=f"(d[20]),
        "=f"(d[21]), "=f"(d[22]), "=f"(d[23]), "=f"(d[24]), "=f"(d[25]), "=f"(d[26]), "=f"(d[27]),
        "=f"(d[28]), "=f"(d[29]), "=f"(d[30]), "=f"(d[31])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b.descriptor()),
        "n"(kLayout == Layout::kColumnInRow ? 1 : 0));
}

/// d += a * b; asynchronous.
template <Layout kLayout>
__device__ inline void multiply_add(float (&d)[32], const std::uint32_t* a, Operand b) {
  asm volatile(
      "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 "
      "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15,"
      " %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31},"
      " {%32, %33, %34, %35}, %36, 1, 1, 1, %37;"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]), "+f"(d[6]),
        "+f"(d[7]), "+f"(d[8]), "+f"(d[9]), "+f"(d[10]), "+f"(d[11]), "+f"(d[12]), "+f"(d[13]),
        "+f"(d[14]), "+f"(d[15]), "+f"(d[16]), "+f"(d[17]), "+f"(d[18]), "+f"(d[19]), "+f"(d[20]),
        "+f"(d[21]), "+f"(d[22]), "+f"(d[23]), "+f"(d[24]), "+f"(d[25]), "+f"(d[26]), "+f"(d[27]),
        "+f"(d[28]), "+f"(d[29]), "+f"(d[30]), "+f"(d[31])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b.descriptor()),
        "n"(kLayout == Layout::kColumnInRow ? 1 : 0));
}

/// A warpgroup's share of the register file: consumers take what the producer gives up.
template <int kRegisters>
__device__ inline void take_registers() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(kRegisters));
}
template <int kRegisters>
__device__ inline void give_registers() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(kRegisters));
}

}  // namespace octet::cuda::device
