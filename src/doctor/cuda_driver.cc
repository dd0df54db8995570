#include "doctor/cuda_driver.h"

#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/format.h"
#include "base/whole_library.h"

namespace octet::doctor {
namespace {

/// The functions of libcuda.so.1; handles of devices are ints, success is 0.
struct Functions {
  int (*init)(unsigned) = nullptr;
  int (*version)(int*) = nullptr;
  int (*count)(int*) = nullptr;
  int (*get)(int*, int) = nullptr;
  int (*name)(char*, int, int) = nullptr;
  int (*attribute)(int*, int, int) = nullptr;
  int (*memory)(std::size_t*, int) = nullptr;
  int (*bus)(char*, int, int) = nullptr;
  int (*error)(int, const char**) = nullptr;
};

/// Looks all up; `missing` is the first that is not there.
Functions look_up(void* library, std::string& missing) {
  Functions f;
  const auto find = [&](const char* symbol, auto& function) {
    function =
        reinterpret_cast<std::remove_reference_t<decltype(function)>>(::dlsym(library, symbol));
    if (function == nullptr && missing.empty()) missing = symbol;
  };
  find("cuInit", f.init);
  find("cuDriverGetVersion", f.version);
  find("cuDeviceGetCount", f.count);
  find("cuDeviceGet", f.get);
  find("cuDeviceGetName", f.name);
  find("cuDeviceGetAttribute", f.attribute);
  find("cuDeviceTotalMem_v2", f.memory);
  find("cuDeviceGetPCIBusId", f.bus);
  find("cuGetErrorString", f.error);
  return f;
}

std::string path_of(void* address) {
  Dl_info info{};
  if (address == nullptr || ::dladdr(address, &info) == 0 || info.dli_fname == nullptr) return "";
  std::error_code error;
  const auto real = std::filesystem::canonical(info.dli_fname, error);
  return error ? info.dli_fname : real.string();
}

/// "NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.95.05  Tue Sep ..."
std::string module_version() {
  std::ifstream file("/proc/driver/nvidia/version");
  std::string line;
  std::getline(file, line);
  std::istringstream words(line);
  for (std::string word; words >> word;) {
    const bool number = word.find_first_not_of("0123456789.") == std::string::npos;
    if (number && word.find('.') != std::string::npos) return word;
  }
  return "";
}

Gpu describe(const Functions& f, int index) {
  constexpr int kMajor = 75, kMinor = 76;  // attributes
  Gpu gpu;
  int device = 0;
  if (f.get(&device, index) != 0) return gpu;
  std::array<char, 256> text{};
  if (f.name(text.data(), text.size(), device) == 0) gpu.name = excerpt(text.data());
  if (f.bus(text.data(), text.size(), device) == 0) gpu.bus = excerpt(text.data());
  (void)f.attribute(&gpu.major, kMajor, device);
  (void)f.attribute(&gpu.minor, kMinor, device);
  (void)f.memory(&gpu.memory, device);
  return gpu;
}

void start(const Functions& f, CudaDriver& driver) {
  driver.status = f.init(0);
  int count = 0;
  if (driver.status == 0 && driver.missing.empty()) driver.status = f.count(&count);
  const char* words = nullptr;
  if (driver.status != 0 && f.error != nullptr) (void)f.error(driver.status, &words);
  driver.status_text = words == nullptr ? format("error %d", driver.status) : excerpt(words);
  if (driver.status != 0 || !driver.missing.empty()) return;
  for (int i = 0; i < std::min(count, 64); ++i) driver.gpus.push_back(describe(f, i));
}

CudaDriver look() {
  CudaDriver driver;
  driver.loaded = module_version();
  constexpr const char* kName = "libcuda.so.1";
  const std::string file = locate_library(kName);
  if (const std::string fault = file.empty() ? "" : library_fault(file); !fault.empty()) {
    driver.not_found = excerpt(file, 300) + ": " + fault;
    return driver;
  }
  void* library = ::dlopen(kName, RTLD_NOW | RTLD_LOCAL);  // never closed
  if (library == nullptr) {
    const char* reason = ::dlerror();
    driver.not_found = excerpt(reason == nullptr ? "unknown" : reason, 300);
    return driver;
  }
  const Functions f = look_up(library, driver.missing);
  driver.path = path_of(reinterpret_cast<void*>(f.init));
  if (driver.path.empty()) driver.path = "libcuda.so.1";
  if (f.version != nullptr) (void)f.version(&driver.version);
  if (f.init != nullptr) start(f, driver);
  return driver;
}

}  // namespace

const CudaDriver& cuda_driver() {
  static const CudaDriver driver = look();
  return driver;
}

bool has_nvidia_hardware() {
  std::error_code error;
  for (std::filesystem::directory_iterator at("/sys/bus/pci/devices", error), end;
       !error && at != end; at.increment(error)) {
    std::string vendor;
    std::string kind;
    std::ifstream(at->path() / "vendor") >> vendor;
    std::ifstream(at->path() / "class") >> kind;
    if (vendor == "0x10de" && kind.starts_with("0x03")) return true;  // displays and 3D devices
  }
  return false;
}

}  // namespace octet::doctor
