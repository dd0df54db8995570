// The GPUs: which there are, whether they multiply FP8, whether this program can run on them.
#include <algorithm>
#include <cstdlib>

#include "base/format.h"
#include "base/machine_code.h"
#include "doctor/checks.h"
#include "doctor/cuda_driver.h"
#include "doctor/machine_code.h"

namespace octet::doctor {
namespace {

std::string label(std::size_t index, const Gpu& gpu) {
  return format("cuda:%zu %s (sm_%d%d)", index, gpu.name.c_str(), gpu.major, gpu.minor);
}

/// Who asks for one GPU does not care for the others.
bool concerns(const Subject& subject, std::size_t index) {
  const auto asked = asked_gpu(subject);
  return !asked || static_cast<std::size_t>(*asked) == index;
}

Results none_visible(const Subject& subject) {
  const char* visible = std::getenv("CUDA_VISIBLE_DEVICES");
  if (visible == nullptr) {
    return {gpu_problem(subject, "the driver shows no GPU", "see what it knows: nvidia-smi -L")};
  }
  return {gpu_problem(
      subject,
      format("no GPU is visible with CUDA_VISIBLE_DEVICES=\"%s\"", excerpt(visible).c_str()),
      "unset CUDA_VISIBLE_DEVICES, or set it to a number or UUID that nvidia-smi -L "
      "lists")};
}

}  // namespace

Results check_gpu(const Subject& subject, Depth /*depth*/) {
  const CudaDriver& d = cuda_driver();
  if (d.status == kNoDevice || (d.works() && d.gpus.empty())) return none_visible(subject);
  if (!d.works()) return ok("no driver that works, so no GPU");
  const auto asked = asked_gpu(subject);
  if (asked && static_cast<std::size_t>(*asked) >= d.gpus.size()) {
    return {gpu_problem(
        subject, format("expected cuda:0 to cuda:%zu, found cuda:%d", d.gpus.size() - 1, *asked),
        "octet doctor lists the GPUs; take --device cuda:0")};
  }
  Results results;
  for (std::size_t i = 0; i < d.gpus.size(); ++i) {
    results.push_back({Level::kOk,
                       format("%s, %.1f GB%s%s", label(i, d.gpus[i]).c_str(),
                              static_cast<double>(d.gpus[i].memory) * 1e-9,
                              d.gpus[i].bus.empty() ? "" : ", PCI ", d.gpus[i].bus.c_str()),
                       ""});
  }
  return results;
}

Results check_gpu_fp8(const Subject& subject, Depth /*depth*/) {
  const CudaDriver& d = cuda_driver();
  Results results;
  for (std::size_t i = 0; d.works() && i < d.gpus.size(); ++i) {
    if (!concerns(subject, i)) continue;
    const Gpu& gpu = d.gpus[i];
    if (gpu.has_fp8()) {
      results.push_back({Level::kOk, label(i, gpu) + " multiplies FP8 in hardware", ""});
    } else if (subject.engine.compute == "fp8") {
      results.push_back(gpu_problem(
          subject, label(i, gpu) + " has no FP8 units, which --compute fp8 needs (sm_89 or newer)",
          "leave --compute out, so that FP8 weights are multiplied in 16 bits"));
    } else {
      results.push_back({Level::kOk,
                         label(i, gpu) + " has no FP8 units: FP8 weights are multiplied in 16 bits",
                         ""});
    }
  }
  return results.empty() ? ok("no GPU to look at") : results;
}

Results check_gpu_code(const Subject& subject, Depth /*depth*/) {
  const CudaDriver& d = cuda_driver();
  const std::string have = compiled_machine_code();
  if (have.empty()) {
    const std::string says = "this program is built without the CUDA backend";
    if (!asked_gpu(subject) && (!d.works() || d.gpus.empty())) return ok(says);
    return {gpu_problem(subject, says, "take the release with CUDA, or build it: make cuda")};
  }
  Results results;
  for (std::size_t i = 0; d.works() && i < d.gpus.size(); ++i) {
    if (!concerns(subject, i)) continue;
    const Gpu& gpu = d.gpus[i];
    if (cuda::has_machine_code(have, {gpu.major, gpu.minor})) {
      results.push_back({Level::kOk, label(i, gpu) + ": this program is compiled for it", ""});
    } else {
      results.push_back(gpu_problem(
          subject,
          format("%s: no kernel image: expected a GPU that this program is compiled for (%s)",
                 label(i, gpu).c_str(), have.c_str()),
          "use another GPU, or compile for it: OCTET_CUDA_ARCHITECTURES"));
    }
  }
  return results.empty() ? ok("this program is compiled for " + have) : results;
}

}  // namespace octet::doctor
