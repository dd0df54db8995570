// What all findings together mean: what can be computed here, and in which numbers.
#include <algorithm>

#include "base/format.h"
#include "base/machine_code.h"
#include "doctor/checks.h"
#include "doctor/cuda_driver.h"
#include "doctor/machine_code.h"

namespace octet::doctor {
namespace {

/// What hinders every GPU: the id of the first finding that does; empty: nothing.
std::string hindrance(const std::vector<Finding>& findings) {
  constexpr const char* kOfAll[] = {"device-nodes", "driver-version", "driver-match", "driver",
                                    "cublaslt",     "one-copy",       "gpu"};
  for (const Finding& f : findings) {
    const auto is_it = [&f](const char* id) { return f.id == id; };
    if (f.level != Level::kOk && std::any_of(std::begin(kOfAll), std::end(kOfAll), is_it)) {
      return f.id;
    }
  }
  return "";
}

void add_cpu(Verdict& v) {
  const bool bf16 = __builtin_cpu_supports("avx512bf16");
  v.native.push_back(bf16 ? "cpu: bf16, f32" : "cpu: f32");
  v.other_precision.push_back(bf16 ? "cpu: fp8 weights, computed in bf16"
                                   : "cpu: fp8 and bf16 weights, computed in f32");
}

void add_gpu(Verdict& v, const std::string& name, const Gpu& gpu, const std::string& hindered) {
  if (!hindered.empty()) {
    v.impossible.push_back(format("%s: %s", name.c_str(), hindered.c_str()));
  } else if (!cuda::has_machine_code(compiled_machine_code(), {gpu.major, gpu.minor})) {
    v.impossible.push_back(name + ": gpu-code");
  } else if (gpu.has_fp8()) {
    v.native.push_back(name + ": fp8, bf16");
  } else {
    v.native.push_back(name + ": bf16");
    v.other_precision.push_back(name + ": fp8 weights, computed in bf16");
  }
}

}  // namespace

Verdict verdict(const Subject& /*subject*/, const std::vector<Finding>& findings) {
  Verdict v;
  add_cpu(v);
  const CudaDriver& d = cuda_driver();
  const std::string hindered = hindrance(findings);
  for (std::size_t i = 0; i < d.gpus.size(); ++i) {
    add_gpu(v,
            format("cuda:%zu %s (sm_%d%d)", i, d.gpus[i].name.c_str(), d.gpus[i].major,
                   d.gpus[i].minor),
            d.gpus[i], hindered);
  }
  if (d.gpus.empty()) {
    v.impossible.push_back("cuda: " + (hindered.empty() ? "no GPU" : hindered));
  }
  return v;
}

}  // namespace octet::doctor
