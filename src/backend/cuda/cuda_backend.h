// The CUDA backend: every op of ops.h on one NVIDIA GPU, on one in-order stream.
//
// Number formats. Streams between layers are BF16 (FP32 under kF32). kF32 multiplies in FP32, never
// in TF32. kBF16 and kW8A16 multiply BF16 with FP32 sums: FP16 weights and scaled FP8 weights are
// rounded to BF16, codes without a scale per row are exact. kFP8 multiplies E4M3 codes (weights
// E4M3 or E5M2) on the FP8 units, with sums of about 14 bits inside a tensor core instruction
// sequence ("fast accumulation"), scales applied in FP32. Weights with block scales compute as
// kW8A16 when kFP8 is asked for: Weight::compute says so.
//
// Results repeat bit for bit for equal shapes on one machine. Under kF32 they do not depend on the
// batch either; with fewer bits a different batch may take another algorithm and round differently.
//
// Memory: besides weights and arena the backend holds 32 MiB of workspace and scratch that grows to
// what the largest op needed. Ownership: prepared weights must not outlive the backend.
// Thread-safety: one thread at a time.
//
// Errors: Error(kDevice) when no usable GPU, driver or cuBLASLt is found, or when the device fails
// (with CUDA's words), Error(kOutOfMemory) from allocations, Error(kModelMismatch) from prepare.
#pragma once

#include <memory>
#include <string>

#include "backend/backend.h"

namespace octet {

struct CudaOptions {
  int device = 0;              // among those that CUDA_VISIBLE_DEVICES leaves
  bool poison_places = false;  // tests: NaN in a streamed weight's place before it is filled
};

[[nodiscard]] std::unique_ptr<Backend> make_cuda_backend(const CudaOptions& options = {});
/// Host memory that the device reads and writes directly; for tests and for fast uploads.
[[nodiscard]] Buffer allocate_pinned(std::size_t size);

}  // namespace octet
