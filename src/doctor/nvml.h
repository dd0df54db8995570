// What the driver's own monitor (NVML, libnvidia-ml.so.1) says of a GPU. Sizes in bytes.
//
// Thread-safe; opened once per process. Errors: none, what is not told is empty.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace octet::doctor {

struct GpuHolder {
  unsigned pid = 0;
  std::uint64_t bytes = 0;  // 0: not told
};

struct GpuReading {
  std::uint64_t total = 0, free = 0;
  std::vector<GpuHolder> holders;
  std::optional<unsigned long long> uncorrected;  // ECC errors since the driver was loaded
  std::optional<unsigned> celsius;
  unsigned long long throttle = 0;  // reasons, NVML's bits
  unsigned pcie_width = 0, pcie_width_most = 0;
};

/// By PCI bus id as the CUDA driver tells it; nothing where NVML is absent or knows no such GPU.
[[nodiscard]] std::optional<GpuReading> read_gpu(const std::string& bus);

}  // namespace octet::doctor
