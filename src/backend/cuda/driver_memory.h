// Device memory as the driver's management library counts it: of all processes, contexts included.
//
// Unlike CUDA's own figure it is to be had before a context exists. Zeros without the library.
// Thread-safety: pure function. Errors: none.
#pragma once

#include <cstddef>

namespace octet::cuda {

struct DeviceMemory {
  std::size_t total = 0, used = 0;
};

/// `device` as CUDA numbers it.
[[nodiscard]] DeviceMemory driver_memory(int device);

}  // namespace octet::cuda
