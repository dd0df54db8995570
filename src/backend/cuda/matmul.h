// Matrix products through cuBLASLt: dst[M, N] = x[M, K] w[N, K]^T, row-major, with scales, bias,
// GELU and an addend, in the formats of the tensor cores.
//
// For every shape that is worth it, the candidates that cuBLASLt proposes are timed once, because
// its first proposal is often not its best. The outcome is kept in memory and in a file of the
// cache folder (algorithm_cache.h), by GPU and library version.
//
// One instance per backend, one thread. Errors: Error(kDevice) from cuBLASLt and CUDA.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "backend/cuda/algorithm_cache.h"
#include "backend/cuda/cublaslt.h"
#include "tensor/dtype.h"

namespace octet::cuda {

enum class ScaleMode : std::uint8_t { kNone, kScalar, kVectors };

/// What distinguishes one product from another for the choice of an algorithm. No padding: the
/// bytes are the key.
struct MatmulShape {
  std::int64_t m = 0, n = 0, k = 0;
  std::int64_t x_stride = 0, w_stride = 0;  // between rows, in elements; w_stride 0: dense
  std::int64_t dst_stride = 0, addend_stride = 0;
  std::int64_t batch = 1;                                // products of equal shape
  std::int64_t x_batch = 0, w_batch = 0, dst_batch = 0;  // between them, in elements
  DType x = DType::kF32, w = DType::kF32, dst = DType::kF32;
  ScaleMode scales = ScaleMode::kNone;
  bool bias = false, gelu = false, addend = false;
  bool w_transposed = false;  // w is [K, N]
};

struct MatmulOperands {
  const void* x = nullptr;
  const void* w = nullptr;
  void* dst = nullptr;
  const void* addend = nullptr;  // may be dst
  const void* bias = nullptr;    // FP32 where dst is FP32 and x not FP8, else BF16
  const float* x_scale = nullptr;
  const float* w_scale = nullptr;
  const float* codes_of_one = nullptr;  // FP8 dst, ScaleMode::kScalar: 1 / scale of the result
  float alpha = 1;
};

/// Whether candidates are timed, or the first one is taken, and where timing runs write: into the
/// output, or where that is its own addend, into spare memory of m*n elements per product.
struct Timing {
  bool timed = false;
  void* spare = nullptr;
};

class Matmul {
 public:
  /// `workspace` of kWorkspaceBytes stays the caller's.
  Matmul(void* workspace, const std::string& device_name);
  ~Matmul();
  Matmul(const Matmul&) = delete;
  Matmul& operator=(const Matmul&) = delete;

  static constexpr std::size_t kWorkspaceBytes = std::size_t{32} << 20;

  /// Whether cuBLASLt has an algorithm for this shape.
  [[nodiscard]] bool supports(const MatmulShape& shape);
  void run(cudaStream_t stream, const MatmulShape& shape, const MatmulOperands& operands,
           const Timing& timing);
  /// Whether run() would time candidates.
  [[nodiscard]] bool wants_timing(const MatmulShape& shape);
  [[nodiscard]] std::size_t version() const { return lt_.version; }

 private:
  struct Plan;
  using Key = std::string;

  Plan& plan_for(const MatmulShape& shape);
  void propose(Plan& plan);
  void ask_library(Plan& plan, std::int64_t taller);
  [[nodiscard]] bool fits(const Plan& plan, const cublasLtMatmulAlgo_t& algo) const;
  static void point(Plan& plan, const MatmulOperands& operands);
  void choose(cudaStream_t stream, Plan& plan, const MatmulOperands& operands, void* spare);
  float time(cudaStream_t stream, Plan& plan, const MatmulOperands& operands,
             const cublasLtMatmulAlgo_t& algo);
  cublasStatus_t launch(cudaStream_t stream, Plan& plan, const MatmulOperands& operands,
                        const cublasLtMatmulAlgo_t& algo);

  CublasLt lt_;
  void* workspace_;
  AlgorithmCache cache_;
  std::map<Key, std::unique_ptr<Plan>> plans_;
};

}  // namespace octet::cuda
