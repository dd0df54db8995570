// Bulk tensor copies between global and shared memory (TMA). Issued by one thread. Rows outside
// the tensor are read as zero and never written, also for negative coordinates.
#pragma once

#include <cuda.h>

#include "backend/cuda/device/mbarrier.cuh"

namespace octet::cuda::device {

struct Coordinates {
  int x, y, z, w;
};

__device__ inline void load_4d(void* dst, const CUtensorMap& map, const Coordinates& at,
                               Barrier& barrier) {
  asm volatile(
      "cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes"
      " [%0], [%1, {%2, %3, %4, %5}], [%6];" ::"r"(shared_address(dst)),
      "l"(&map), "r"(at.x), "r"(at.y), "r"(at.z), "r"(at.w), "r"(shared_address(&barrier))
      : "memory");
}

__device__ inline void store_4d(const CUtensorMap& map, const Coordinates& at, const void* src) {
  asm volatile(
      "cp.async.bulk.tensor.4d.global.shared::cta.bulk_group [%0, {%1, %2, %3, %4}], [%5];" ::"l"(
          &map),
      "r"(at.x), "r"(at.y), "r"(at.z), "r"(at.w), "r"(shared_address(src))
      : "memory");
}

__device__ inline void commit_stores() { asm volatile("cp.async.bulk.commit_group;" ::: "memory"); }

/// Waits until the sources of this thread's stores may be overwritten.
__device__ inline void wait_stores_read() {
  asm volatile("cp.async.bulk.wait_group.read 0;" ::: "memory");
}
/// Waits until this thread's stores are complete.
__device__ inline void wait_stores() { asm volatile("cp.async.bulk.wait_group 0;" ::: "memory"); }

/// Orders this thread's ordinary writes to shared memory before later reads by the copy engine and
/// the tensor cores.
__device__ inline void fence_async_proxy() {
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}

__device__ inline void prefetch(const CUtensorMap& map) {
  asm volatile("prefetch.tensormap [%0];" ::"l"(&map) : "memory");
}

}  // namespace octet::cuda::device
