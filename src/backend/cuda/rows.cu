// Row programs: norms, modulation, quantisation and epilogues over the last dimension.
//
// One block holds one row in registers, so a row is read once and written once whatever happens in
// between. Rows that are not made of aligned groups of eight go through the same programs element
// by element, re-reading the row for each pass.
#include "backend/cuda/device.cuh"

namespace octet::cuda {
namespace {

enum class Norm { kNone, kLayer, kRms };

bool aligned(const void* p, std::size_t to) {
  return reinterpret_cast<std::uintptr_t>(p) % to == 0;
}

// Whether groups of eight elements of every row can be accessed as whole vectors.
bool vectors_fit(const RowView& v) {
  const std::int64_t unit = v.dtype == DType::kF32 ? 4 : 8;
  return v.data == nullptr ||
         (aligned(v.data, v.dtype == DType::kF8E4M3 ? 8 : 16) && v.inner_stride % unit == 0 &&
          v.outer_stride % unit == 0 && v.columns % 8 == 0);
}
bool floats_fit(const float* p, std::int64_t stride = 0) {
  return aligned(p, 16) && stride % 4 == 0;
}
bool same_type(const RowView& v, DType dtype) { return v.data == nullptr || v.dtype == dtype; }

__device__ __forceinline__ void round_to(DType dtype, float (&v)[8]) {
  if (dtype != DType::kBF16) return;
#pragma unroll
  for (float& x : v) x = __bfloat162float(__float2bfloat16_rn(x));
}

// Eight elements as they lie in memory: everything a row needs is fetched before anything waits.
template <typename T>
struct Raw;
template <>
struct Raw<float> {
  float4 a, b;
};
template <>
struct Raw<__nv_bfloat16> {
  uint4 a;
};
__device__ __forceinline__ void fetch(Raw<float>& raw, const void* data, std::int64_t at) {
  const auto* p = reinterpret_cast<const float4*>(static_cast<const float*>(data) + at);
  raw = {p[0], p[1]};
}
__device__ __forceinline__ void fetch(Raw<__nv_bfloat16>& raw, const void* data, std::int64_t at) {
  raw.a = *reinterpret_cast<const uint4*>(static_cast<const __nv_bfloat16*>(data) + at);
}
template <typename T>
__device__ __forceinline__ void unpack(const Raw<T>& raw, float (&v)[8]) {
  load8<T>(&raw, 0, v);
}

// ---- programs: where a value comes from and what is done with it after the statistics -----------

struct NormProgram {
  NormRows a;
  struct Row {
    std::int64_t x;
  };
  __device__ Row row(std::int64_t r) const { return {row_start(a.x, r)}; }
  template <typename T>
  struct Operands {
    Raw<T> x;
  };
  template <typename T>
  __device__ void fetch_all(const Row& r, int c, Operands<T>& o) const {
    fetch(o.x, a.x.data, r.x + c);
  }
  template <typename T>
  __device__ void combine_all(const Row&, int, const Operands<T>& o, float (&v)[8]) const {
    unpack(o.x, v);
  }
  __device__ float first(const Row& r, int c) const {
    return load_one(a.x.dtype, a.x.data, r.x + c);
  }
  __device__ float again(const Row& r, int c) const { return first(r, c); }
  __device__ void finish(const Row&, int c, float (&v)[8], float mean, float factor) const {
    float w[8], b[8] = {};
    load8<float>(a.weight, c, w);
    if (a.bias != nullptr) load8<float>(a.bias, c, b);
#pragma unroll
    for (int i = 0; i < 8; ++i) v[i] = (v[i] - mean) * factor * w[i] + b[i];
  }
  __device__ float finish(const Row&, int c, float v, float mean, float factor) const {
    return (v - mean) * factor * a.weight[c] + (a.bias != nullptr ? a.bias[c] : 0.0f);
  }
};

struct ModulateProgram {
  ModulateRows a;
  struct Row {
    std::int64_t x, value[2], batch;
  };
  __device__ Row row(std::int64_t r) const {
    return {row_start(a.x, r),
            {row_start(a.value[0], r), row_start(a.value[1], r)},
            static_cast<unsigned>(r) / static_cast<unsigned>(a.tokens)};
  }
  template <typename T>
  struct Operands {
    Raw<T> x, value[2];
  };
  template <typename T>
  __device__ void fetch_all(const Row& r, int c, Operands<T>& o) const {
    fetch(o.x, a.x.data, r.x + c);
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      if (a.value[i].data != nullptr) fetch(o.value[i], a.value[i].data, r.value[i] + c);
    }
  }
  template <typename T>
  __device__ void combine_all(const Row& r, int c, const Operands<T>& o, float (&v)[8]) const {
    unpack(o.x, v);
    if (a.value[0].data == nullptr && a.value[1].data == nullptr) return;
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      if (a.value[i].data == nullptr) continue;
      float value[8], gate[8];
      unpack(o.value[i], value);
      load8<float>(a.gate[i], r.batch * a.gate_stride[i] + c, gate);
#pragma unroll
      for (int j = 0; j < 8; ++j) v[j] = fmaf(gate[j], value[j], v[j]);
    }
    round_to(a.x.dtype, v);  // what follows is of the stream as stored
    store8(a.x.dtype, a.x.data, r.x + c, v);
  }
  __device__ float first(const Row& r, int c) const {
    float v = load_one(a.x.dtype, a.x.data, r.x + c);
    for (int i = 0; i < 2; ++i) {
      if (a.value[i].data == nullptr) continue;
      v = fmaf(a.gate[i][r.batch * a.gate_stride[i] + c],
               load_one(a.value[i].dtype, a.value[i].data, r.value[i] + c), v);
    }
    store_one(a.x.dtype, a.x.data, r.x + c, v);
    return again(r, c);
  }
  __device__ float again(const Row& r, int c) const {
    return load_one(a.x.dtype, a.x.data, r.x + c);
  }
  __device__ void finish(const Row& r, int c, float (&v)[8], float mean, float factor) const {
    float shift[8], scale[8];
    load8<float>(a.shift, r.batch * a.shift_stride + c, shift);
    load8<float>(a.scale, r.batch * a.scale_stride + c, scale);
#pragma unroll
    for (int i = 0; i < 8; ++i) v[i] = fmaf(1.0f + scale[i], (v[i] - mean) * factor, shift[i]);
  }
  __device__ float finish(const Row& r, int c, float v, float mean, float factor) const {
    return fmaf(1.0f + a.scale[r.batch * a.scale_stride + c], (v - mean) * factor,
                a.shift[r.batch * a.shift_stride + c]);
  }
};

// dst = act(x) + residual, or gelu(x) * other.
template <bool kGated>
struct PointwiseProgram {
  RowView x, other;
  Act act;
  bool coarse;  // the result is FP8
  struct Row {
    std::int64_t x, other;
  };
  __device__ Row row(std::int64_t r) const { return {row_start(x, r), row_start(other, r)}; }
  __device__ static float combine(float value, float with) {
    return kGated ? value * with : value + with;
  }
  template <typename T>
  struct Operands {
    Raw<T> x, other;
  };
  template <typename T>
  __device__ void fetch_all(const Row& r, int c, Operands<T>& o) const {
    fetch(o.x, x.data, r.x + c);
    if (other.data != nullptr) fetch(o.other, other.data, r.other + c);
  }
  template <typename T>
  __device__ void combine_all(const Row&, int, const Operands<T>& o, float (&v)[8]) const {
    unpack(o.x, v);
    float with[8];
    if (other.data != nullptr) unpack(o.other, with);
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      if (act == Act::kGeluTanh) {  // the only one here, see pointwise()
        v[i] = coarse ? gelu_coarse(v[i]) : gelu_rounded(v[i]);
      }
      if (other.data != nullptr) v[i] = combine(v[i], with[i]);
    }
  }
  __device__ float first(const Row& r, int c) const {
    const float v = activate(act, load_one(x.dtype, x.data, r.x + c));
    return other.data == nullptr ? v : combine(v, load_one(other.dtype, other.data, r.other + c));
  }
  __device__ float again(const Row& r, int c) const { return first(r, c); }
  __device__ void finish(const Row&, int, float (&)[8], float, float) const {}
  __device__ float finish(const Row&, int, float v, float, float) const { return v; }
};

// ---- the two ways through a row
// --------------------------------------------------------------------

__device__ __forceinline__ float row_scale(const RowOutput& dst, std::int64_t row, float largest,
                                           bool writes) {
  if (dst.fixed_scale) return *dst.scale;
  const float scale = fmaxf(largest, kTiny) / kE4M3Largest;
  if (writes) dst.scale[row] = scale;
  return scale;
}

// kWarps warps hold a row, kVectors groups of eight per lane; a block holds kBlockWarps / kWarps
// rows. With one warp per row nothing waits for anything but its own loads.
template <int kWarps, typename F>
__device__ __forceinline__ float row_reduce(float v, F f, float* shared) {
#pragma unroll
  for (int i = 16; i > 0; i /= 2) v = f(v, __shfl_xor_sync(~0u, v, i));
  if (threadIdx.x % 32 == 0) shared[threadIdx.x / 32] = v;
  __syncthreads();
  v = shared[0];
#pragma unroll
  for (int i = 1; i < kWarps; ++i) v = f(v, shared[i]);
  return v;
}

template <typename Program, Norm kNorm, typename T, int kWarps, int kVectors>
__global__ void __launch_bounds__(kWarps * 32)
    vector_rows(const __grid_constant__ Program program, RowOutput dst, int columns) {
  __shared__ float shared[3][kWarps];
  const std::int64_t row = blockIdx.x;
  const auto r = program.row(row);
  constexpr int kStep = kWarps * 32 * 8;
  const int begin = static_cast<int>(threadIdx.x) * 8;
  float v[kVectors][8];
  {
    typename Program::template Operands<T> operands[kVectors];
#pragma unroll
    for (int j = 0; j < kVectors; ++j) {
      const int c = begin + j * kStep;
      if (c < columns) program.template fetch_all<T>(r, c, operands[j]);
    }
#pragma unroll
    for (int j = 0; j < kVectors; ++j) {
      const int c = begin + j * kStep;
      if (c < columns) program.template combine_all<T>(r, c, operands[j], v[j]);
    }
  }
  if (dst.rows.data == nullptr) return;
  float mean = 0, factor = 1;
  const float n = static_cast<float>(columns);
  if constexpr (kNorm == Norm::kLayer) {
    float sum = 0;
#pragma unroll
    for (int j = 0; j < kVectors; ++j) {
      if (begin + j * kStep >= columns) continue;
#pragma unroll
      for (int i = 0; i < 8; ++i) sum += v[j][i];
    }
    mean = row_reduce<kWarps>(sum, Add{}, shared[0]) / n;
  }
  if constexpr (kNorm != Norm::kNone) {
    float squares = 0;
#pragma unroll
    for (int j = 0; j < kVectors; ++j) {
      if (begin + j * kStep >= columns) continue;
#pragma unroll
      for (int i = 0; i < 8; ++i) squares += (v[j][i] - mean) * (v[j][i] - mean);
    }
    const float eps = program.a.eps;
    factor = 1.0f / sqrtf(row_reduce<kWarps>(squares, Add{}, shared[1]) / n + eps);
  }
  float largest = 0;
#pragma unroll
  for (int j = 0; j < kVectors; ++j) {
    if (begin + j * kStep >= columns) continue;
    program.finish(r, begin + j * kStep, v[j], mean, factor);
#pragma unroll
    for (int i = 0; i < 8; ++i) largest = fmaxf(largest, fabsf(v[j][i]));
  }
  float inverse = 1;
  if (dst.rows.dtype == DType::kF8E4M3) {
    if (!dst.fixed_scale) largest = row_reduce<kWarps>(largest, Max{}, shared[2]);
    inverse = 1.0f / row_scale(dst, row, largest, threadIdx.x == 0);
  }
  const std::int64_t at = row_start(dst.rows, row);
#pragma unroll
  for (int j = 0; j < kVectors; ++j) {
    if (begin + j * kStep >= columns) continue;
#pragma unroll
    for (int i = 0; i < 8; ++i) v[j][i] *= inverse;
    store8(dst.rows.dtype, dst.rows.data, at + begin + j * kStep, v[j]);
  }
}

template <typename Program, Norm kNorm>
__global__ void element_rows(Program program, RowOutput dst, int columns) {
  __shared__ float shared[3][32];
  const std::int64_t row = blockIdx.x;
  const auto r = program.row(row);
  const int step = static_cast<int>(blockDim.x);
  const int begin = static_cast<int>(threadIdx.x);
  const float n = static_cast<float>(columns);
  float sum = 0;
  if (kNorm != Norm::kNone) {
    for (int c = begin; c < columns; c += step) sum += program.first(r, c);
  }
  if (dst.rows.data == nullptr) return;
  float mean = 0, factor = 1;
  if constexpr (kNorm == Norm::kLayer) mean = block_reduce(sum, Add{}, 0.0f, shared[0]) / n;
  if constexpr (kNorm != Norm::kNone) {
    float squares = 0;
    for (int c = begin; c < columns; c += step) {
      const float d = program.again(r, c) - mean;
      squares += d * d;
    }
    const float eps = program.a.eps;
    factor = 1.0f / sqrtf(block_reduce(squares, Add{}, 0.0f, shared[1]) / n + eps);
  }
  const bool fp8 = dst.rows.dtype == DType::kF8E4M3;
  float scale = 1;
  if (fp8) {
    float largest = 0;
    for (int c = begin; c < columns && !dst.fixed_scale; c += step) {
      largest = fmaxf(largest, fabsf(program.finish(r, c, program.again(r, c), mean, factor)));
    }
    if (!dst.fixed_scale) largest = block_reduce(largest, Max{}, 0.0f, shared[2]);
    scale = row_scale(dst, row, largest, threadIdx.x == 0);
  }
  const std::int64_t at = row_start(dst.rows, row);
  for (int c = begin; c < columns; c += step) {
    const float v = program.finish(r, c, program.again(r, c), mean, factor);
    store_one(dst.rows.dtype, dst.rows.data, at + c, fp8 ? v / scale : v);
  }
}

struct Launch {
  std::int64_t rows, columns;
  DType dtype;  // of every operand of the vector form
  bool vectors;
};

// Footprints for rows as wide as a model (1536, 2432, 3072) and as wide as its hidden layers.
template <typename Program, Norm kNorm, typename T>
void launch_vectors(cudaStream_t stream, const Program& program, const RowOutput& dst,
                    const Launch& l) {
  const auto rows = static_cast<unsigned>(l.rows);
  const int columns = static_cast<int>(l.columns);
  if (columns <= 2 * 3 * 256) {
    vector_rows<Program, kNorm, T, 2, 3><<<rows, 2 * 32, 0, stream>>>(program, dst, columns);
  } else if (columns <= 5 * 2 * 256) {
    vector_rows<Program, kNorm, T, 5, 2><<<rows, 5 * 32, 0, stream>>>(program, dst, columns);
  } else if (columns <= 4 * 3 * 256) {
    vector_rows<Program, kNorm, T, 4, 3><<<rows, 4 * 32, 0, stream>>>(program, dst, columns);
  } else {
    vector_rows<Program, kNorm, T, 8, 5><<<rows, 8 * 32, 0, stream>>>(program, dst, columns);
  }
}

template <typename Program, Norm kNorm>
void launch(cudaStream_t stream, const Program& program, const RowOutput& dst, const Launch& l) {
  if (l.rows == 0 || l.columns == 0) return;
  constexpr std::int64_t kMostColumns = 8 * 5 * 256;
  if (!l.vectors || !vectors_fit(dst.rows) || l.columns > kMostColumns) {
    element_rows<Program, kNorm><<<static_cast<unsigned>(l.rows), 256, 0, stream>>>(
        program, dst, static_cast<int>(l.columns));
  } else if (l.dtype == DType::kBF16) {
    launch_vectors<Program, kNorm, __nv_bfloat16>(stream, program, dst, l);
  } else {
    launch_vectors<Program, kNorm, float>(stream, program, dst, l);
  }
}

template <Norm kNorm>
void launch_norm(cudaStream_t stream, const NormRows& a) {
  launch<NormProgram, kNorm>(stream, {a}, a.dst,
                             {.rows = a.x.rows,
                              .columns = a.x.columns,
                              .dtype = a.x.dtype,
                              .vectors = vectors_fit(a.x) && floats_fit(a.weight) &&
                                         (a.bias == nullptr || floats_fit(a.bias))});
}

}  // namespace

void layer_norm(cudaStream_t stream, const NormRows& a) { launch_norm<Norm::kLayer>(stream, a); }
void rms_norm(cudaStream_t stream, const NormRows& a) { launch_norm<Norm::kRms>(stream, a); }

void layer_norm_modulate(cudaStream_t stream, const ModulateRows& a) {
  bool fit = vectors_fit(a.x);
  for (int i = 0; i < 2; ++i) {
    if (a.value[i].data == nullptr) continue;
    fit = fit && vectors_fit(a.value[i]) && same_type(a.value[i], a.x.dtype) &&
          floats_fit(a.gate[i], a.gate_stride[i]);
  }
  if (a.dst.rows.data != nullptr) {
    fit = fit && floats_fit(a.shift, a.shift_stride) && floats_fit(a.scale, a.scale_stride);
  }
  launch<ModulateProgram, Norm::kLayer>(
      stream, {a}, a.dst,
      {.rows = a.x.rows, .columns = a.x.columns, .dtype = a.x.dtype, .vectors = fit});
}

namespace {

// The vector form knows the activations that large tensors meet, in the precision of a result that
// is rounded to 16 or 8 bits.
bool fast_activation(Act act, const RowOutput& dst) {
  return act == Act::kNone || (act == Act::kGeluTanh && dst.rows.dtype != DType::kF32);
}

}  // namespace

void pointwise(cudaStream_t stream, const PointwiseRows& a) {
  launch<PointwiseProgram<false>, Norm::kNone>(
      stream, {a.x, a.residual, a.act, a.dst.rows.dtype == DType::kF8E4M3}, a.dst,
      {.rows = a.x.rows,
       .columns = a.x.columns,
       .dtype = a.x.dtype,
       .vectors = vectors_fit(a.x) && vectors_fit(a.residual) && same_type(a.residual, a.x.dtype) &&
                  fast_activation(a.act, a.dst)});
}

void gated_gelu(cudaStream_t stream, const GatedRows& a) {
  launch<PointwiseProgram<true>, Norm::kNone>(
      stream, {a.gate, a.up, Act::kGeluTanh, a.dst.rows.dtype == DType::kF8E4M3}, a.dst,
      {.rows = a.up.rows,
       .columns = a.up.columns,
       .dtype = a.gate.dtype,
       .vectors = vectors_fit(a.gate) && vectors_fit(a.up) && same_type(a.up, a.gate.dtype) &&
                  fast_activation(Act::kGeluTanh, a.dst)});
}

// ---- qk_norm
// ---------------------------------------------------------------------------------------

namespace {

// One block per token; kLanes neighbouring threads per head, eight elements each.
template <typename T, int kLanes>
__global__ void qk_norm_vectors(View x, const float* weight, float eps) {
  const std::int64_t token = blockIdx.x % x.dims[1];
  const std::int64_t batch = blockIdx.x / x.dims[1];
  const std::int64_t start = batch * x.strides[0] + token * x.strides[1];
  const int lane = static_cast<int>(threadIdx.x) % kLanes;
  float w[8];
  load8<float>(weight, lane * 8, w);
  const int heads_at_once = static_cast<int>(blockDim.x) / kLanes;
  for (int head = static_cast<int>(threadIdx.x) / kLanes; head - lane < x.dims[2];
       head += heads_at_once) {
    const bool inside = head < x.dims[2];
    const std::int64_t at = start + head * x.strides[2] + lane * 8;
    float v[8] = {};
    if (inside) load8<T>(x.data, at, v);
    float sum = 0;
#pragma unroll
    for (int i = 0; i < 8; ++i) sum += v[i] * v[i];
#pragma unroll
    for (int i = kLanes / 2; i > 0; i /= 2) sum += __shfl_xor_sync(~0u, sum, i);
    const float factor = rsqrtf(sum / (8 * kLanes) + eps);
#pragma unroll
    for (int i = 0; i < 8; ++i) v[i] *= factor * w[i];
    if (inside) store8(x.dtype, x.data, at, v);
  }
}

__global__ void qk_norm_elements(View x, const float* weight, float eps) {
  const std::int64_t head = blockIdx.x % x.dims[2];
  const std::int64_t token = blockIdx.x / x.dims[2] % x.dims[1];
  const std::int64_t batch = blockIdx.x / x.dims[2] / x.dims[1];
  const std::int64_t at = batch * x.strides[0] + token * x.strides[1] + head * x.strides[2];
  float sum = 0;
  for (std::int64_t i = threadIdx.x; i < x.dims[3]; i += 32) {
    const float v = load_one(x.dtype, x.data, at + i);
    sum += v * v;
  }
#pragma unroll
  for (int i = 16; i > 0; i /= 2) sum += __shfl_xor_sync(~0u, sum, i);
  const float factor = 1.0f / sqrtf(sum / static_cast<float>(x.dims[3]) + eps);
  for (std::int64_t i = threadIdx.x; i < x.dims[3]; i += 32) {
    store_one(x.dtype, x.data, at + i, load_one(x.dtype, x.data, at + i) * factor * weight[i]);
  }
}

template <int kLanes>
void launch_qk(cudaStream_t stream, const View& x, const float* weight, float eps) {
  const auto tokens = static_cast<unsigned>(x.dims[0] * x.dims[1]);
  const std::int64_t wanted = (x.dims[2] * kLanes + 31) / 32 * 32;
  const auto threads = static_cast<unsigned>(wanted < 512 ? wanted : 512);
  if (x.dtype == DType::kBF16) {
    qk_norm_vectors<__nv_bfloat16, kLanes><<<tokens, threads, 0, stream>>>(x, weight, eps);
  } else {
    qk_norm_vectors<float, kLanes><<<tokens, threads, 0, stream>>>(x, weight, eps);
  }
}

}  // namespace

void qk_norm(cudaStream_t stream, const View& x, const float* weight, float eps) {
  const std::int64_t heads = x.dims[0] * x.dims[1] * x.dims[2];
  if (heads == 0) return;
  const std::int64_t unit = x.dtype == DType::kF32 ? 4 : 8;
  bool fit = aligned(x.data, 16) && aligned(weight, 16);
  for (int i = 0; i < 3; ++i) fit = fit && x.strides[i] % unit == 0;
  if (fit && x.dims[3] == 64) return launch_qk<8>(stream, x, weight, eps);
  if (fit && x.dims[3] == 128) return launch_qk<16>(stream, x, weight, eps);
  qk_norm_elements<<<static_cast<unsigned>(heads), 32, 0, stream>>>(x, weight, eps);
}

}  // namespace octet::cuda
