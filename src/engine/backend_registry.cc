#include "engine/backend_registry.h"

#include "backend/cpu/cpu_backend.h"
#include "base/format.h"
#include "octet/error.h"

namespace octet {

std::unique_ptr<Backend> make_backend(const std::string& device, int threads) {
  if (device == "auto" || device == "cpu") return make_cpu_backend({.threads = threads});
  if (device == "cuda" || device.starts_with("cuda:")) {
    throw Error(Code::kDevice, "device: " + excerpt(device) +
                                   ": this build has no CUDA backend; use --device cpu");
  }
  throw Error(Code::kInvalidArgument,
              "device: expected auto, cpu, cuda or cuda:N, found " + excerpt(device));
}

std::unique_ptr<Backend> make_reproducible_backend(int threads) {
  CpuIsa best = CpuIsa::kGeneric;
  for (const CpuIsa isa : supported_isas()) {
    if (isa != CpuIsa::kAvx512Bf16) best = isa;  // adds products in pairs
  }
  return make_cpu_backend({.threads = threads, .isa = best});
}

}  // namespace octet
