// HostSlab: one piece of host memory that the device reads directly, for all weights that wait.
//
// The driver clears and pins pages one by one in the calling thread, 2.5 GB in a second; here
// several threads have cleared huge pages before it pins them. Pieces are given out once and never
// taken back; the memory goes with the last of them. One thread at a time. Errors:
// Error(kOutOfMemory).
#pragma once

#include <cstddef>
#include <memory>

#include "tensor/buffer.h"

namespace octet::cuda {

class HostSlab {
 public:
  HostSlab() = default;
  explicit HostSlab(std::size_t bytes);

  /// Memory of its own where the slab has no room left.
  [[nodiscard]] Buffer take(std::size_t bytes);

 private:
  std::shared_ptr<Buffer> memory_;
  std::size_t used_ = 0;
};

}  // namespace octet::cuda
