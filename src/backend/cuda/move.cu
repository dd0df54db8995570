// Copies, conversions and pointwise ops of any strides.
#include "backend/cuda/device.cuh"
#include "tensor/random_codes.h"

namespace octet::cuda {
namespace {

constexpr unsigned kThreads = 256;

unsigned blocks_for(std::int64_t count) {
  constexpr std::int64_t kMost = 132 * 32;
  const std::int64_t wanted = (count + kThreads - 1) / kThreads;
  return static_cast<unsigned>(wanted < kMost ? wanted : kMost);
}

std::int64_t count_of(const View& v) { return v.dims[0] * v.dims[1] * v.dims[2] * v.dims[3]; }

__device__ std::int64_t offset_of(const View& v, std::int64_t i) {
  std::int64_t at = i % v.dims[3] * v.strides[3];
  i /= v.dims[3];
  at += i % v.dims[2] * v.strides[2];
  i /= v.dims[2];
  return at + i % v.dims[1] * v.strides[1] + i / v.dims[1] * v.strides[0];
}

// f(i) for every element of a view in row-major order.
template <typename F>
__global__ void for_elements(std::int64_t count, F f) {
  for (std::int64_t i = blockIdx.x * std::int64_t{blockDim.x} + threadIdx.x; i < count;
       i += std::int64_t{gridDim.x} * blockDim.x) {
    f(i);
  }
}

template <typename F>
void launch(cudaStream_t stream, std::int64_t count, F f) {
  if (count > 0) for_elements<<<blocks_for(count), kThreads, 0, stream>>>(count, f);
}

struct CopyElements {
  View dst, src;
  __device__ void operator()(std::int64_t i) const {
    store_one(dst.dtype, dst.data, offset_of(dst, i),
              load_one(src.dtype, src.data, offset_of(src, i)));
  }
};

// Integers keep all their bits.
template <typename T>
struct CopyIntegers {
  View dst, src;
  __device__ void operator()(std::int64_t i) const {
    static_cast<T*>(dst.data)[offset_of(dst, i)] =
        static_cast<const T*>(src.data)[offset_of(src, i)];
  }
};

// FP32 to FP32 or BF16 in groups of eight along dense rows.
struct CopyVectors {
  View dst, src;
  __device__ void operator()(std::int64_t i) const {
    float v[8];
    load8<float>(src.data, offset_of(src, i * 8), v);
    store8(dst.dtype, dst.data, offset_of(dst, i * 8), v);
  }
};

bool vectors_fit(const View& v, std::int64_t unit) {
  bool fit =
      reinterpret_cast<std::uintptr_t>(v.data) % 16 == 0 && v.dims[3] % 8 == 0 && v.strides[3] == 1;
  for (int i = 0; i < 3; ++i) fit = fit && v.strides[i] % unit == 0;
  return fit;
}

struct NoteNotFinite {
  unsigned* word;
  const float* values;
  __device__ void operator()(std::int64_t i) const {
    if (!isfinite(values[i])) *word = 1;
  }
};

struct FillElements {
  View dst;
  float value;
  __device__ void operator()(std::int64_t i) const {
    store_one(dst.dtype, dst.data, offset_of(dst, i), value);
  }
};

struct ToBytes {
  std::uint8_t* dst;
  View src;
  bool truncate;
  __device__ void operator()(std::int64_t i) const {
    const float x = load_one(src.dtype, src.data, i);
    const float scaled = fminf(fmaxf((x + 1.0f) / 2.0f, 0.0f), 1.0f) * 255.0f;
    dst[i] = static_cast<std::uint8_t>(truncate ? scaled : rintf(scaled));
  }
};

struct AddElements {
  View dst, a, b;
  __device__ void operator()(std::int64_t i) const {
    store_one(
        dst.dtype, dst.data, offset_of(dst, i),
        load_one(a.dtype, a.data, offset_of(a, i)) + load_one(b.dtype, b.data, offset_of(b, i)));
  }
};

struct ScaleShift {
  View dst, x;
  float scale, shift;
  __device__ void operator()(std::int64_t i) const {
    store_one(dst.dtype, dst.data, offset_of(dst, i),
              fmaf(load_one(x.dtype, x.data, offset_of(x, i)), scale, shift));
  }
};

template <typename T>
struct RandomElements {
  RandomFill a;
  __device__ void operator()(std::int64_t i) const {
    static_cast<T*>(a.dst)[i] =
        static_cast<const T*>(a.table)[random_index(a.seed, static_cast<std::uint32_t>(i))];
  }
};

struct Combine {
  Combination a;
  __device__ void operator()(std::int64_t i) const {
    const auto row = static_cast<int>(i / a.size);
    float sum = 0;
#pragma unroll
    for (int t = 0; t < 3; ++t) {
      if (a.x[t] != nullptr) sum = fmaf(a.c[t][row], a.x[t][i], sum);
    }
    a.dst[i] = sum;
  }
};

}  // namespace

void copy(cudaStream_t stream, const View& dst, const View& src) {
  const std::int64_t count = count_of(dst);
  if (dst.dtype == DType::kI32) return launch(stream, count, CopyIntegers<std::int32_t>{dst, src});
  if (dst.dtype == DType::kU8) return launch(stream, count, CopyIntegers<std::uint8_t>{dst, src});
  const bool half = dst.dtype == DType::kBF16;
  if (src.dtype == DType::kF32 && (half || dst.dtype == DType::kF32) && vectors_fit(src, 4) &&
      vectors_fit(dst, half ? 8 : 4)) {
    return launch(stream, count / 8, CopyVectors{dst, src});
  }
  launch(stream, count, CopyElements{dst, src});
}

void note_not_finite(cudaStream_t stream, unsigned* word, const float* values, std::int64_t count) {
  launch(stream, count, NoteNotFinite{word, values});
}

void fill(cudaStream_t stream, const View& dst, float value) {
  launch(stream, count_of(dst), FillElements{dst, value});
}

void to_u8(cudaStream_t stream, std::uint8_t* dst, const View& src, bool truncate) {
  launch(stream, count_of(src), ToBytes{dst, src, truncate});
}

void add(cudaStream_t stream, const View& dst, const View& a, const View& b) {
  launch(stream, count_of(dst), AddElements{dst, a, b});
}

void scale_shift(cudaStream_t stream, const View& dst, const View& x, float scale, float shift) {
  launch(stream, count_of(dst), ScaleShift{dst, x, scale, shift});
}

void random_codes(cudaStream_t stream, const RandomFill& a) {
  if (a.element == 1) return launch(stream, a.count, RandomElements<std::uint8_t>{a});
  if (a.element == 2) return launch(stream, a.count, RandomElements<std::uint16_t>{a});
  launch(stream, a.count, RandomElements<std::uint32_t>{a});
}

void linear_combination(cudaStream_t stream, const Combination& a) {
  launch(stream, a.rows * a.size, Combine{a});
}

}  // namespace octet::cuda
