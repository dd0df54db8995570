#include "gpu_monitor.h"

#include <dlfcn.h>

#include <array>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <sstream>
#include <thread>

namespace octet::cli {
namespace {

constexpr auto kPause = std::chrono::milliseconds(3);

/// The functions of NVML that are used; its handles are pointers, success is 0.
struct Nvml {
  using Device = void*;
  struct Memory {
    unsigned long long total, free, used;
  };
  int (*init)() = nullptr;
  int (*by_index)(unsigned, Device*) = nullptr;
  int (*by_uuid)(const char*, Device*) = nullptr;
  int (*memory)(Device, Memory*) = nullptr;
  int (*clock)(Device, int, unsigned*) = nullptr;
  int (*power)(Device, unsigned*) = nullptr;
  int (*temperature)(Device, int, unsigned*) = nullptr;
  int (*name)(Device, char*, unsigned) = nullptr;
  int (*driver)(char*, unsigned) = nullptr;

  // Never closed: the driver's other libraries may share it.
  bool open() {
    void* library = ::dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) return false;
    const auto get = [library](const char* symbol, auto& function) {
      function =
          reinterpret_cast<std::remove_reference_t<decltype(function)>>(::dlsym(library, symbol));
      return function != nullptr;
    };
    return get("nvmlInit_v2", init) && get("nvmlDeviceGetHandleByIndex_v2", by_index) &&
           get("nvmlDeviceGetHandleByUUID", by_uuid) && get("nvmlDeviceGetMemoryInfo", memory) &&
           get("nvmlDeviceGetClockInfo", clock) && get("nvmlDeviceGetPowerUsage", power) &&
           get("nvmlDeviceGetTemperature", temperature) && get("nvmlDeviceGetName", name) &&
           get("nvmlSystemGetDriverVersion", driver) && init() == 0;
  }
};

int device_index(const std::string& device) {
  const std::size_t colon = device.find(':');
  int index = 0;
  if (colon != std::string::npos) {
    std::from_chars(device.data() + colon + 1, device.data() + device.size(), index);
  }
  return index;
}

}  // namespace

std::string visible_device(const std::string& visible, int index) {
  if (visible.empty()) return std::to_string(index);
  std::istringstream entries(visible);
  std::string entry;
  for (int i = 0; i <= index; ++i) {
    if (!std::getline(entries, entry, ',')) return "";
  }
  return entry;
}

struct GpuMonitor::Impl {
  Nvml nvml;
  Nvml::Device device = nullptr;
  unsigned long long baseline = 0;
  std::atomic<unsigned long long> peak{0};
  std::atomic<bool> stop{false};
  std::thread thread;

  bool find(const std::string& entry) {
    unsigned index = 0;
    const char* end = entry.data() + entry.size();
    const auto [stopped, error] = std::from_chars(entry.data(), end, index);
    if (error == std::errc() && stopped == end) return nvml.by_index(index, &device) == 0;
    return nvml.by_uuid(entry.c_str(), &device) == 0;
  }

  [[nodiscard]] unsigned long long used() const {
    Nvml::Memory memory{};
    return nvml.memory(device, &memory) == 0 ? memory.used : 0;
  }

  void watch() {
    while (!stop) {
      const unsigned long long now = used();
      if (now > peak) peak = now;
      std::this_thread::sleep_for(kPause);
    }
  }
};

GpuMonitor::GpuMonitor(const std::string& device) {
  auto impl = std::make_unique<Impl>();
  const char* visible = std::getenv("CUDA_VISIBLE_DEVICES");
  if (device == "cpu" || !impl->nvml.open()) return;
  if (!impl->find(visible_device(visible == nullptr ? "" : visible, device_index(device)))) return;
  impl->baseline = impl->used();
  impl->thread = std::thread([raw = impl.get()] { raw->watch(); });
  impl_ = std::move(impl);
}

GpuMonitor::~GpuMonitor() {
  if (!impl_) return;
  impl_->stop = true;
  impl_->thread.join();
}

bool GpuMonitor::watching() const { return impl_ != nullptr; }

std::size_t GpuMonitor::peak_bytes() const {
  if (!impl_ || impl_->peak < impl_->baseline) return 0;
  return static_cast<std::size_t>(impl_->peak - impl_->baseline);
}

void GpuMonitor::reset_peak() {
  if (impl_) impl_->peak = 0;
}

GpuReading GpuMonitor::read() const {
  GpuReading reading;
  if (!impl_) return reading;
  constexpr int kSmClock = 1;
  constexpr int kMemoryClock = 2;
  const Nvml& n = impl_->nvml;
  std::array<char, 128> text{};
  if (n.name(impl_->device, text.data(), text.size()) == 0) reading.name = text.data();
  if (n.driver(text.data(), text.size()) == 0) reading.driver = text.data();
  const auto number = [&](auto ask, auto... what) -> std::optional<unsigned> {
    unsigned value = 0;
    if (ask(impl_->device, what..., &value) != 0) return {};
    return value;
  };
  reading.sm_mhz = number(n.clock, kSmClock);
  reading.memory_mhz = number(n.clock, kMemoryClock);
  reading.celsius = number(n.temperature, 0);
  if (const auto milliwatts = number(n.power)) reading.watts = *milliwatts / 1000.0;
  return reading;
}

}  // namespace octet::cli
