#include "backend/cuda/matmul.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <type_traits>

#include "backend/cuda/status.h"
#include "base/check.h"

namespace octet::cuda {
namespace {

constexpr int kCandidates = 24;
constexpr int kTimedRuns = 5;
constexpr double kWorthTiming = 1e9;  // multiply-adds; smaller products take the first proposal

static_assert(std::has_unique_object_representations_v<MatmulShape>);

template <typename T>
std::string bytes_of(const T& value) {
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

cudaDataType type_of(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return CUDA_R_32F;
    case DType::kF16:
      return CUDA_R_16F;
    case DType::kBF16:
      return CUDA_R_16BF;
    case DType::kF8E4M3:
      return CUDA_R_8F_E4M3;
    case DType::kF8E5M2:
      return CUDA_R_8F_E5M2;
    case DType::kI32:
    case DType::kU8:
      break;
  }
  OCTET_CHECK(false, "[matmul] no product of %s", name_of(dtype));
  return CUDA_R_32F;
}

cublasLtEpilogue_t epilogue_of(const MatmulShape& s) {
  if (s.gelu) return s.bias ? CUBLASLT_EPILOGUE_GELU_BIAS : CUBLASLT_EPILOGUE_GELU;
  return s.bias ? CUBLASLT_EPILOGUE_BIAS : CUBLASLT_EPILOGUE_DEFAULT;
}

struct Events {
  Events() {
    for (cudaEvent_t& e : event) check(cudaEventCreate(&e), "cudaEventCreate");
  }
  ~Events() {
    for (cudaEvent_t e : event) (void)cudaEventDestroy(e);
  }
  Events(const Events&) = delete;
  Events& operator=(const Events&) = delete;
  std::array<cudaEvent_t, 2> event{};
};

}  // namespace

// cuBLASLt is column-major: its A is w, its B is x, and its D is dst transposed.
struct Matmul::Plan {
  Plan(const CublasLt& library, const MatmulShape& s) : lt(library), shape(s) {
    lt.check(lt.desc_create(&desc, CUBLAS_COMPUTE_32F, CUDA_R_32F), "cublasLtMatmulDescCreate");
    set(CUBLASLT_MATMUL_DESC_TRANSA, s.w_transposed ? CUBLAS_OP_N : CUBLAS_OP_T);
    set(CUBLASLT_MATMUL_DESC_TRANSB, CUBLAS_OP_N);
    set(CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue_of(s));
    if (s.bias) {
      const cudaDataType bias = s.dst == DType::kF32 && !is_fp8(s.x) ? CUDA_R_32F : CUDA_R_16BF;
      set(CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, static_cast<std::int32_t>(bias));
    }
    if (is_fp8(s.x)) set(CUBLASLT_MATMUL_DESC_FAST_ACCUM, std::int8_t{1});
    if (s.scales == ScaleMode::kVectors) {
      set(CUBLASLT_MATMUL_DESC_A_SCALE_MODE,
          static_cast<std::int32_t>(CUBLASLT_MATMUL_MATRIX_SCALE_OUTER_VEC_32F));
      set(CUBLASLT_MATMUL_DESC_B_SCALE_MODE,
          static_cast<std::int32_t>(CUBLASLT_MATMUL_MATRIX_SCALE_OUTER_VEC_32F));
    }
    if (s.w_transposed) {
      layout(w, s.w, {s.n, s.k, s.w_stride == 0 ? s.n : s.w_stride, s.w_batch});
    } else {
      layout(w, s.w, {s.k, s.n, s.w_stride == 0 ? s.k : s.w_stride, s.w_batch});
    }
    layout(x, s.x, {s.k, s.m, s.x_stride, s.x_batch});
    layout(dst, s.dst, {s.n, s.m, s.dst_stride, s.dst_batch});
    // Nothing is added to FP8, but the library wants it described, in 16 bits.
    layout(addend, is_fp8(s.dst) ? DType::kBF16 : s.dst,
           {s.n, s.m, s.addend ? s.addend_stride : s.dst_stride, s.dst_batch});
    layout(spare, s.dst, {s.n, s.m, s.n, s.m * s.n});
  }
  ~Plan() {
    if (desc != nullptr) (void)lt.desc_destroy(desc);
    for (cublasLtMatrixLayout_t l : {w, x, dst, addend, spare}) {
      if (l != nullptr) (void)lt.layout_destroy(l);
    }
  }
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;

  template <typename T>
  void set(cublasLtMatmulDescAttributes_t attribute, const T& value) {
    lt.check(lt.desc_set(desc, attribute, &value, sizeof value), "cublasLtMatmulDescSetAttribute");
  }
  struct Matrix {
    std::int64_t rows, columns, stride, batch_stride;
  };
  void layout(cublasLtMatrixLayout_t& l, DType dtype, const Matrix& m) {
    lt.check(lt.layout_create(&l, type_of(dtype), static_cast<std::uint64_t>(m.rows),
                              static_cast<std::uint64_t>(m.columns), m.stride),
             "cublasLtMatrixLayoutCreate");
    if (shape.batch == 1) return;
    const auto count = static_cast<std::int32_t>(shape.batch);
    lt.check(lt.layout_set(l, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count, sizeof count),
             "cublasLtMatrixLayoutSetAttribute");
    lt.check(lt.layout_set(l, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &m.batch_stride,
                           sizeof m.batch_stride),
             "cublasLtMatrixLayoutSetAttribute");
  }
  /// What the library is asked about: the same product of `rows` rows.
  void set_rows(std::int64_t rows) {
    const auto columns = static_cast<std::uint64_t>(rows);
    for (cublasLtMatrixLayout_t l : {x, dst, addend}) {
      lt.check(lt.layout_set(l, CUBLASLT_MATRIX_LAYOUT_COLS, &columns, sizeof columns),
               "cublasLtMatrixLayoutSetAttribute");
    }
  }
  [[nodiscard]] double products() const {
    return static_cast<double>(shape.m) * static_cast<double>(shape.n) *
           static_cast<double>(shape.k) * static_cast<double>(shape.batch);
  }

  const CublasLt& lt;
  MatmulShape shape;
  cublasLtMatmulDesc_t desc = nullptr;
  cublasLtMatrixLayout_t w = nullptr, x = nullptr, dst = nullptr, addend = nullptr, spare = nullptr;
  std::vector<cublasLtMatmulAlgo_t> candidates;
  bool chosen = false;  // candidates[0] is final
};

Matmul::Matmul(void* workspace, const std::string& device_name)
    : workspace_(workspace), cache_(format("cublaslt-%zu-%s", lt_.version, device_name.c_str())) {}

Matmul::~Matmul() = default;

Matmul::Plan& Matmul::plan_for(const MatmulShape& shape) {
  auto& plan = plans_[bytes_of(shape)];
  if (!plan) {
    plan = std::make_unique<Plan>(lt_, shape);
    propose(*plan);
  }
  return *plan;
}

bool Matmul::fits(const Plan& plan, const cublasLtMatmulAlgo_t& algo) const {
  cublasLtMatmulHeuristicResult_t result{};
  return lt_.algo_check(lt_.handle, plan.desc, plan.w, plan.x, plan.addend, plan.dst, &algo,
                        &result) == CUBLAS_STATUS_SUCCESS &&
         result.workspaceSize <= kWorkspaceBytes;
}

void Matmul::propose(Plan& plan) {
  if (const auto* known = cache_.find(bytes_of(plan.shape))) {
    cublasLtMatmulAlgo_t algo;
    if (known->size() == sizeof algo) {
      std::memcpy(&algo, known->data(), sizeof algo);
      if (fits(plan, algo)) {
        plan.candidates = {algo};
        plan.chosen = true;
        return;
      }
    }
  }
  // The library looks at pointers when it chooses: a null scale would mean none.
  point(plan, {.bias = workspace_,
               .x_scale = static_cast<const float*>(workspace_),
               .w_scale = static_cast<const float*>(workspace_),
               .codes_of_one = static_cast<const float*>(workspace_)});
  // For few rows and long sums it thinks of nothing but sums in parts, which do not go with scales
  // per row; the algorithm of a taller product does.
  for (std::int64_t taller = 1; taller <= 8 && plan.candidates.empty(); taller *= 2) {
    ask_library(plan, taller);
  }
  plan.chosen = plan.candidates.size() < 2 || plan.products() < kWorthTiming;
}

void Matmul::ask_library(Plan& plan, std::int64_t taller) {
  plan.set_rows(plan.shape.m * taller);
  cublasLtMatmulPreference_t preference = nullptr;
  lt_.check(lt_.preference_create(&preference), "cublasLtMatmulPreferenceCreate");
  const std::size_t workspace = kWorkspaceBytes;
  (void)lt_.preference_set(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace,
                           sizeof workspace);
  std::array<cublasLtMatmulHeuristicResult_t, kCandidates> results{};
  int count = 0;
  const cublasStatus_t status =
      lt_.heuristic(lt_.handle, plan.desc, plan.w, plan.x, plan.addend, plan.dst, preference,
                    kCandidates, results.data(), &count);
  (void)lt_.preference_destroy(preference);
  plan.set_rows(plan.shape.m);
  if (status != CUBLAS_STATUS_SUCCESS) count = 0;  // CUBLAS_STATUS_NOT_SUPPORTED
  for (int i = 0; i < count; ++i) {
    const auto& r = results[static_cast<std::size_t>(i)];
    if (r.state != CUBLAS_STATUS_SUCCESS) continue;
    if (taller == 1 || fits(plan, r.algo)) plan.candidates.push_back(r.algo);
  }
}

bool Matmul::supports(const MatmulShape& shape) { return !plan_for(shape).candidates.empty(); }
bool Matmul::wants_timing(const MatmulShape& shape) { return !plan_for(shape).chosen; }

void Matmul::point(Plan& plan, const MatmulOperands& o) {
  if (plan.shape.bias) plan.set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, o.bias);
  if (plan.shape.scales == ScaleMode::kNone) return;
  plan.set(CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, o.w_scale);
  plan.set(CUBLASLT_MATMUL_DESC_B_SCALE_POINTER, o.x_scale);
  if (is_fp8(plan.shape.dst)) plan.set(CUBLASLT_MATMUL_DESC_D_SCALE_POINTER, o.codes_of_one);
}

cublasStatus_t Matmul::launch(cudaStream_t stream, Plan& plan, const MatmulOperands& o,
                              const cublasLtMatmulAlgo_t& algo) {
  point(plan, o);
  const float beta = o.addend != nullptr ? 1.0f : 0.0f;
  // Where nothing is added the library wants dst here, but nothing where that is FP8.
  const void* addend = o.addend != nullptr || is_fp8(plan.shape.dst) ? o.addend : o.dst;
  return lt_.matmul(lt_.handle, plan.desc, &o.alpha, o.w, plan.w, o.x, plan.x, &beta, addend,
                    plan.addend, o.dst, plan.dst, &algo, workspace_, kWorkspaceBytes, stream);
}

float Matmul::time(cudaStream_t stream, Plan& plan, const MatmulOperands& o,
                   const cublasLtMatmulAlgo_t& algo) {
  constexpr float kRefused = 1e30f;
  const Events events;
  std::array<float, kTimedRuns> times{};
  for (int i = -1; i < kTimedRuns; ++i) {
    check(cudaEventRecord(events.event[0], stream), "cudaEventRecord");
    if (launch(stream, plan, o, algo) != CUBLAS_STATUS_SUCCESS) return kRefused;
    check(cudaEventRecord(events.event[1], stream), "cudaEventRecord");
    check(cudaEventSynchronize(events.event[1]), "timing matrix products");
    if (i < 0) continue;
    check(
        cudaEventElapsedTime(&times[static_cast<std::size_t>(i)], events.event[0], events.event[1]),
        "cudaEventElapsedTime");
  }
  std::sort(times.begin(), times.end());
  return times[kTimedRuns / 2];
}

void Matmul::choose(cudaStream_t stream, Plan& plan, const MatmulOperands& operands, void* spare) {
  MatmulOperands o = operands;
  const cublasLtMatrixLayout_t addend = plan.addend;
  if (spare != nullptr) {
    o.dst = spare;
    if (o.addend != nullptr) o.addend = spare;
    std::swap(plan.dst, plan.spare);
    if (!is_fp8(plan.shape.dst)) plan.addend = plan.dst;
  }
  std::size_t best = 0;
  float least = 1e30f;
  for (std::size_t i = 0; i < plan.candidates.size(); ++i) {
    const float t = time(stream, plan, o, plan.candidates[i]);
    if (t < least) {
      least = t;
      best = i;
    }
  }
  plan.addend = addend;
  if (spare != nullptr) std::swap(plan.dst, plan.spare);
  plan.candidates = {plan.candidates[best]};
  plan.chosen = true;
  cache_.add(bytes_of(plan.shape), bytes_of(plan.candidates[0]));
}

void Matmul::run(cudaStream_t stream, const MatmulShape& shape, const MatmulOperands& operands,
                 const Timing& timing) {
  Plan& plan = plan_for(shape);
  OCTET_CHECK(!plan.candidates.empty(), "[matmul] %lld x %lld x %lld: no algorithm",
              static_cast<long long>(shape.m), static_cast<long long>(shape.n),
              static_cast<long long>(shape.k));
  if (!plan.chosen && timing.timed) choose(stream, plan, operands, timing.spare);
  lt_.check(launch(stream, plan, operands, plan.candidates[0]), "cublasLtMatmul");
}

}  // namespace octet::cuda
