// Which GPUs this program has machine code for, and what it says where it has none. Pure: the list
// that it was compiled for comes in.
//
// Names as in CMake's CUDA_ARCHITECTURES: "86-real" is machine code for compute capability 8.6 and
// later ones of the same major number, "90a-real" for 9.0 alone, "100" also carries PTX, which the
// driver compiles on GPUs of 10.0 and newer.
// Thread-safety: reentrant. Errors: Error(kDevice) from require_machine_code.
#pragma once

#include <string>

namespace octet::cuda {

struct GpuVersion {
  int major = 0, minor = 0;
};

/// `list`: names with spaces between them.
[[nodiscard]] bool has_machine_code(const std::string& list, GpuVersion gpu);
/// Throws, naming the GPU and its compute capability, where there is none.
void require_machine_code(const std::string& list, const char* name, GpuVersion gpu);

}  // namespace octet::cuda
