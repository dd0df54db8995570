// What the NVIDIA driver says about a GPU while this program works on it: memory, clocks, power.
//
// Opens libnvidia-ml at run time and asks it from a thread of its own every few milliseconds, so
// that the peak includes everything: context, libraries, workspaces. Memory is counted above what
// was in use when the monitor was made, so make it before the engine and keep the GPU free of other
// programs. Without the library or a GPU it is empty: `watching()` is false.
// Thread-safety: used by one thread. Errors: none.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

namespace octet::cli {

struct GpuReading {
  std::string name;    // "NVIDIA H200"
  std::string driver;  // "580.159.03"
  // Empty where the driver does not say, as for a MIG slice.
  std::optional<unsigned> sm_mhz, memory_mhz, celsius;
  std::optional<double> watts;
};

class GpuMonitor {
 public:
  /// `device` as in --device; with CUDA_VISIBLE_DEVICES as CUDA reads it.
  explicit GpuMonitor(const std::string& device);
  ~GpuMonitor();
  GpuMonitor(const GpuMonitor&) = delete;
  GpuMonitor& operator=(const GpuMonitor&) = delete;

  [[nodiscard]] bool watching() const;
  /// Most bytes in use since the monitor was made or reset_peak().
  [[nodiscard]] std::size_t peak_bytes() const;
  void reset_peak();
  [[nodiscard]] GpuReading read() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The entry of CUDA_VISIBLE_DEVICES that CUDA calls `index`, or the index itself when `visible`
/// is empty: what NVML knows the GPU by.
[[nodiscard]] std::string visible_device(const std::string& visible, int index);

}  // namespace octet::cli
