#include "doctor/nvml.h"

#include <dlfcn.h>

#include <array>
#include <type_traits>

namespace octet::doctor {
namespace {

using Device = void*;
struct Memory {
  unsigned long long total, free, used;
};
struct Process {  // nvmlProcessInfo_t of version 2 and 3
  unsigned pid;
  unsigned long long bytes;
  unsigned instance, compute_instance;
};

constexpr int kUncorrected = 1, kVolatile = 0, kOfTheChip = 0;
constexpr unsigned long long kNotTold = ~0ULL;

/// The functions that are used; success is 0. All may be null but the first three.
struct Functions {
  int (*init)() = nullptr;
  int (*by_bus)(const char*, Device*) = nullptr;
  int (*memory)(Device, Memory*) = nullptr;
  int (*processes)(Device, unsigned*, Process*) = nullptr;
  int (*errors)(Device, int, int, unsigned long long*) = nullptr;
  int (*temperature)(Device, int, unsigned*) = nullptr;
  int (*throttle)(Device, unsigned long long*) = nullptr;
  int (*width)(Device, unsigned*) = nullptr;
  int (*width_most)(Device, unsigned*) = nullptr;
  bool works = false;
};

Functions open_nvml() {
  Functions f;
  void* library = ::dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);  // never closed
  if (library == nullptr) return f;
  const auto find = [library](const char* symbol, auto& function) {
    function =
        reinterpret_cast<std::remove_reference_t<decltype(function)>>(::dlsym(library, symbol));
  };
  find("nvmlInit_v2", f.init);
  find("nvmlDeviceGetHandleByPciBusId_v2", f.by_bus);
  find("nvmlDeviceGetMemoryInfo", f.memory);
  find("nvmlDeviceGetComputeRunningProcesses_v3", f.processes);
  find("nvmlDeviceGetTotalEccErrors", f.errors);
  find("nvmlDeviceGetTemperature", f.temperature);
  find("nvmlDeviceGetCurrentClocksThrottleReasons", f.throttle);
  find("nvmlDeviceGetCurrPcieLinkWidth", f.width);
  find("nvmlDeviceGetMaxPcieLinkWidth", f.width_most);
  f.works = f.init != nullptr && f.by_bus != nullptr && f.memory != nullptr && f.init() == 0;
  return f;
}

std::vector<GpuHolder> holders(const Functions& f, Device device) {
  std::array<Process, 64> found{};
  unsigned count = found.size();
  std::vector<GpuHolder> all;
  if (f.processes == nullptr || f.processes(device, &count, found.data()) != 0) return all;
  for (unsigned i = 0; i < count && i < found.size(); ++i) {
    all.push_back({found[i].pid, found[i].bytes == kNotTold ? 0 : found[i].bytes});
  }
  return all;
}

}  // namespace

std::optional<GpuReading> read_gpu(const std::string& bus) {
  static const Functions f = open_nvml();
  Device device = nullptr;
  Memory memory{};
  if (!f.works || f.by_bus(bus.c_str(), &device) != 0 || f.memory(device, &memory) != 0) return {};
  GpuReading r{.total = memory.total, .free = memory.free, .holders = holders(f, device)};
  unsigned long long errors = 0;
  unsigned celsius = 0;
  if (f.errors != nullptr && f.errors(device, kUncorrected, kVolatile, &errors) == 0) {
    r.uncorrected = errors;
  }
  if (f.temperature != nullptr && f.temperature(device, kOfTheChip, &celsius) == 0) {
    r.celsius = celsius;
  }
  if (f.throttle != nullptr && f.throttle(device, &r.throttle) != 0) r.throttle = 0;
  if (f.width != nullptr && f.width(device, &r.pcie_width) != 0) r.pcie_width = 0;
  if (f.width_most != nullptr && f.width_most(device, &r.pcie_width_most) != 0) {
    r.pcie_width_most = 0;
  }
  return r;
}

}  // namespace octet::doctor
