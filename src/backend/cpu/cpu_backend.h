// The CPU backend: every op of ops.h on host memory, with kernels chosen at run time by what the
// processor can do.
//
// Streams between layers are FP32 for every Compute; only inputs of linear layers and convolutions
// are rounded (BF16, or E4M3 for kFP8). Accumulation is FP32.
//
// Determinism: an output element is summed in one fixed order that depends on the op's dimensions
// alone, so results are the same bytes for any number of threads and any batch composition, and the
// same with AVX2 and AVX-512. The generic set rounds products before adding and AVX512-BF16
// adds pairs of products where inputs are 16 or 8 bits wide, so these two may differ from them.
//
// Memory: ops allocate nothing per call in the steady state. Scratch belongs to the backend and
// grows to what the largest op so far needed: per thread up to about 4 MiB, of which a convolution
// takes 128 bytes per element of its window; shared 8 MiB when FP8 rows are written, 24 bytes per
// row of a linear layer and 16 bytes per group and 512 pixels of a group norm.
//
// Ownership: prepared weights are self-contained and may outlive the backend. Thread-safety: one
// thread at a time calls a backend; it owns a ThreadPool for the work inside an op.
// Errors: Error(kOutOfMemory) from allocate, Error(kModelMismatch) from prepare for a weight that
// contradicts itself, Error(kUnsupported) from make_cpu_backend for an instruction set that this
// processor lacks.
#pragma once

#include <memory>
#include <vector>

#include "backend/backend.h"

namespace octet {

enum class CpuIsa : std::uint8_t { kAuto, kGeneric, kAvx2, kAvx512, kAvx512Bf16 };
/// "auto", "generic", "avx2", "avx512", "avx512bf16"
[[nodiscard]] const char* name_of(CpuIsa isa);

struct CpuOptions {
  int threads = 0;             // 0: all that affinity and cgroup quota allow
  CpuIsa isa = CpuIsa::kAuto;  // the best the processor has; others for tests
};

[[nodiscard]] std::unique_ptr<Backend> make_cpu_backend(const CpuOptions& options = {});
/// The sets that this processor can run, slowest first (without kAuto).
[[nodiscard]] std::vector<CpuIsa> supported_isas();

}  // namespace octet
