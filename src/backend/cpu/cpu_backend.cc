#include "backend/cpu/cpu_backend.h"

#include <algorithm>
#include <cstring>
#include <fstream>

#include "backend/cpu/cpu_ops.h"
#include "base/available_memory.h"
#include "base/check.h"

namespace octet {
namespace {

// __builtin_cpu_supports includes the check that the system saves the wider registers.
bool runs(CpuIsa isa) {
  switch (isa) {
    case CpuIsa::kAuto:
    case CpuIsa::kGeneric:
      return true;
    case CpuIsa::kAvx2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
             __builtin_cpu_supports("f16c");
    case CpuIsa::kAvx512:
      return runs(CpuIsa::kAvx2) && __builtin_cpu_supports("avx512f") &&
             __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
             __builtin_cpu_supports("avx512dq");
    case CpuIsa::kAvx512Bf16:
      return runs(CpuIsa::kAvx512) && __builtin_cpu_supports("avx512bf16");
  }
  return false;
}

const cpu::Kernels& kernels_of(CpuIsa isa) {
  switch (isa) {
    case CpuIsa::kAvx512Bf16:
      return cpu::avx512bf16_kernels();
    case CpuIsa::kAvx512:
      return cpu::avx512_kernels();
    case CpuIsa::kAvx2:
      return cpu::avx2_kernels();
    case CpuIsa::kAuto:
    case CpuIsa::kGeneric:
      break;
  }
  return cpu::generic_kernels();
}

std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(": ");
    if (line.rfind("model name", 0) == 0 && colon != std::string::npos) {
      return line.substr(colon + 2);
    }
  }
  return "x86-64 processor";
}

}  // namespace

const char* name_of(CpuIsa isa) {
  switch (isa) {
    case CpuIsa::kAuto:
      return "auto";
    case CpuIsa::kGeneric:
      return "generic";
    case CpuIsa::kAvx2:
      return "avx2";
    case CpuIsa::kAvx512:
      return "avx512";
    case CpuIsa::kAvx512Bf16:
      return "avx512bf16";
  }
  return "?";
}

std::vector<CpuIsa> supported_isas() {
  std::vector<CpuIsa> found;
  for (const CpuIsa isa : {CpuIsa::kGeneric, CpuIsa::kAvx2, CpuIsa::kAvx512, CpuIsa::kAvx512Bf16}) {
    if (runs(isa)) found.push_back(isa);
  }
  return found;
}

std::unique_ptr<Backend> make_cpu_backend(const CpuOptions& options) {
  const CpuIsa isa = options.isa == CpuIsa::kAuto ? supported_isas().back() : options.isa;
  if (!runs(isa)) {
    throw Error(
        Code::kUnsupported,
        format("cpu backend: instruction set %s is not available on this processor", name_of(isa)));
  }
  if (options.threads < 0 || options.threads > 1024) {
    throw Error(Code::kInvalidArgument,
                format("threads: expected 0 to 1024, found %d", options.threads));
  }
  return std::make_unique<cpu::CpuBackend>(kernels_of(isa), options.threads);
}

namespace cpu {

float* Scratch::floats(Slot slot, std::int64_t count) {
  const std::size_t bytes = static_cast<std::size_t>(count) * sizeof(float);
  Buffer& buffer = slots_[slot];
  if (buffer.size() < bytes) {
    buffer = Buffer();
    buffer = allocate_host(bytes);
  }
  return static_cast<float*>(buffer.data());
}

DeviceInfo CpuBackend::info() const {
  DeviceInfo info;
  info.kind = "cpu";
  info.name = processor_name();
  info.capabilities = kernels_.name;
  info.memory = available_memory();
  info.native_bf16 = kernels_.gemm_pairs != nullptr;
  info.threads = pool_.threads();
  return info;
}

void CpuBackend::upload(const Tensor& dst, std::span<const std::byte> src) {
  OCTET_CHECK(dst.dense() && src.size() == dst.bytes(), "[upload] %zu bytes to %s", src.size(),
              describe(dst).c_str());
  if (!src.empty()) std::memcpy(dst.data, src.data(), src.size());
}

void CpuBackend::download(std::span<std::byte> dst, const Tensor& src) {
  OCTET_CHECK(src.dense() && dst.size() == src.bytes(), "[download] %zu bytes from %s", dst.size(),
              describe(src).c_str());
  if (!dst.empty()) std::memcpy(dst.data(), src.data, dst.size());
}

}  // namespace cpu
}  // namespace octet
