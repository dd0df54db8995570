#include "engine/backend_registry.h"

#include <charconv>

#include "backend/cpu/cpu_backend.h"
#include "base/format.h"
#include "octet/error.h"
#ifdef OCTET_CUDA
#include "backend/cuda/cuda_backend.h"
#include "base/whole_library.h"
#endif

namespace octet {
namespace {

[[noreturn]] void unknown(const std::string& device) {
  throw Error(Code::kInvalidArgument,
              "device: expected auto, cpu, cuda or cuda:N, found " + excerpt(device));
}

#ifdef OCTET_CUDA
std::unique_ptr<Backend> make_cuda(int index) {
  const std::string driver = locate_library("libcuda.so.1");
  if (const std::string fault = driver.empty() ? "" : library_fault(driver); !fault.empty()) {
    throw Error(Code::kDevice, format("device: cuda:%d: %s: %s; use --device cpu", index,
                                      excerpt(driver, 300).c_str(), fault.c_str()));
  }
  return make_cuda_backend({.device = index});
}
#else
std::unique_ptr<Backend> make_cuda(int index) {
  throw Error(Code::kDevice,
              format("device: cuda:%d: this build has no CUDA backend; use --device cpu", index));
}
#endif

int cuda_index(const std::string& device) {
  const std::string prefix = "cuda:";
  int index = -1;
  const char* end = device.data() + device.size();
  const auto result = std::from_chars(device.data() + prefix.size(), end, index);
  if (result.ec != std::errc() || result.ptr != end || index < 0) unknown(device);
  return index;
}

}  // namespace

ChosenBackend choose_backend(const std::string& device, int threads) {
  if (device == "cpu") return {make_cpu_backend({.threads = threads}), ""};
  if (device == "cuda") return {make_cuda(0), ""};
  if (device.starts_with("cuda:")) return {make_cuda(cuda_index(device)), ""};
  if (device != "auto") unknown(device);
  std::string remark;
#ifdef OCTET_CUDA
  try {
    return {make_cuda(0), ""};
  } catch (const Error& e) {
    if (e.code() != Code::kDevice) throw;
    remark = e.what();
  }
#endif
  return {make_cpu_backend({.threads = threads}), remark};
}

std::unique_ptr<Backend> make_backend(const std::string& device, int threads) {
  return choose_backend(device, threads).backend;
}

std::unique_ptr<Backend> make_reproducible_backend(int threads) {
  CpuIsa best = CpuIsa::kGeneric;
  for (const CpuIsa isa : supported_isas()) {
    if (isa != CpuIsa::kAvx512Bf16) best = isa;  // adds products in pairs
  }
  return make_cpu_backend({.threads = threads, .isa = best});
}

}  // namespace octet
