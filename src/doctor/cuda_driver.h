// The NVIDIA driver as this process sees it: libcuda.so.1, opened at run time, and its GPUs.
//
// Only calls that make no context: no memory is taken on any GPU. Thread-safe; looked at once per
// process, because the driver itself starts only once. Errors: none; all that fails is a field.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace octet::doctor {

struct Gpu {
  std::string name = "unknown";
  std::string bus;  // "00000000:3B:00.0"; empty: not told
  int major = 0, minor = 0;
  std::size_t memory = 0;  // bytes in all

  /// From 8.9 on (Ada, Hopper, Blackwell).
  [[nodiscard]] bool has_fp8() const { return major > 8 || (major == 8 && minor >= 9); }
};

struct CudaDriver {
  std::string path;         // of libcuda.so.1, links resolved; empty: not found
  std::string not_found;    // what the loader said
  std::string missing;      // first function that it lacks
  int version = 0;          // 13000 for 13.0
  int status = -1;          // of cuInit, then of counting; 0: well
  std::string status_text;  // in the driver's words
  std::string loaded;       // version of the kernel module: "580.95.05"; empty: none is loaded
  std::vector<Gpu> gpus;

  [[nodiscard]] bool works() const { return status == 0 && missing.empty() && !path.empty(); }
};

/// CUresult of cuInit and the like that doctor knows a remedy for.
inline constexpr int kNoDevice = 100, kNotReady = 802, kDriverMismatch = 803,
                     kForwardNotSupported = 804;

[[nodiscard]] const CudaDriver& cuda_driver();

/// Whether the machine has an NVIDIA device at all, driver or not, by its PCI ids.
[[nodiscard]] bool has_nvidia_hardware();

}  // namespace octet::doctor
