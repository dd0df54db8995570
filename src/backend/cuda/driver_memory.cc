#include "backend/cuda/driver_memory.h"

#include <cuda_runtime_api.h>
#include <dlfcn.h>

#include <array>

namespace octet::cuda {
namespace {

// NVML, opened at run time; its handles are pointers, success is 0.
struct Nvml {
  struct Memory {
    unsigned long long total, free, used;
  };
  int (*init)() = nullptr;
  int (*by_bus)(const char*, void**) = nullptr;
  int (*memory)(void*, Memory*) = nullptr;

  // Never closed: the driver's other libraries may share it.
  bool open() {
    void* library = ::dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) return false;
    init = reinterpret_cast<decltype(init)>(::dlsym(library, "nvmlInit_v2"));
    by_bus =
        reinterpret_cast<decltype(by_bus)>(::dlsym(library, "nvmlDeviceGetHandleByPciBusId_v2"));
    memory = reinterpret_cast<decltype(memory)>(::dlsym(library, "nvmlDeviceGetMemoryInfo"));
    return init != nullptr && by_bus != nullptr && memory != nullptr && init() == 0;
  }
};

}  // namespace

DeviceMemory driver_memory(int device) {
  std::array<char, 64> bus{};
  if (cudaDeviceGetPCIBusId(bus.data(), static_cast<int>(bus.size()), device) != cudaSuccess) {
    return {};
  }
  Nvml nvml;
  void* handle = nullptr;
  Nvml::Memory memory{};
  if (!nvml.open() || nvml.by_bus(bus.data(), &handle) != 0 || nvml.memory(handle, &memory) != 0) {
    return {};
  }
  return {.total = memory.total, .used = memory.used};
}

}  // namespace octet::cuda
