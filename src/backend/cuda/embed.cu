// Embeddings, patches, positions: small ops, one thread per element.
#include "backend/cuda/device.cuh"

namespace octet::cuda {
namespace {

constexpr unsigned kThreads = 256;

template <typename F>
__global__ void for_elements(std::int64_t count, F f) {
  const std::int64_t i = blockIdx.x * std::int64_t{blockDim.x} + threadIdx.x;
  if (i < count) f(i);
}

template <typename F>
void launch(cudaStream_t stream, std::int64_t count, F f) {
  if (count == 0) return;
  for_elements<<<static_cast<unsigned>((count + kThreads - 1) / kThreads), kThreads, 0, stream>>>(
      count, f);
}

std::int64_t count_of(const View& v) { return v.dims[0] * v.dims[1] * v.dims[2] * v.dims[3]; }

struct EmbedTokens {
  RowView dst;
  const std::int32_t* ids;
  View table, positions;
  std::int64_t tokens;
  __device__ void operator()(std::int64_t i) const {
    const std::int64_t row = i / dst.columns, c = i % dst.columns;
    float v = load_one(table.dtype, table.data, ids[row] * table.strides[2] + c * table.strides[3]);
    if (positions.data != nullptr) {
      v += load_one(positions.dtype, positions.data,
                    row % tokens * positions.strides[2] + c * positions.strides[3]);
    }
    store_one(dst.dtype, dst.data, row_start(dst, row) + c, v);
  }
};

struct TimestepEmbedding {
  View dst;  // dims [1, 1, R, C]
  const float* timesteps;
  __device__ void operator()(std::int64_t i) const {
    const std::int64_t row = i / dst.dims[3], c = i % dst.dims[3], half = dst.dims[3] / 2;
    const double k = static_cast<double>(c % half) / static_cast<double>(half);
    // In double: the angle reaches 1000 and its sine is wanted to 1e-6.
    const double angle = static_cast<double>(timesteps[row]) * exp(-9.210340371976184 * k);
    store_one(dst.dtype, dst.data, i, static_cast<float>(c < half ? cos(angle) : sin(angle)));
  }
};

// Position of element i of [B, C, H, W] in the token matrix; inside a patch channel-major
// (patchify) or channel fastest (unpatchify).
struct Patches {
  View latents, patches;
  std::int64_t patch;
  bool to_patches;
  __device__ void operator()(std::int64_t i) const {
    const std::int64_t p = patch, c_count = latents.dims[1];
    const std::int64_t x = i % latents.dims[3];
    const std::int64_t y = i / latents.dims[3] % latents.dims[2];
    const std::int64_t c = i / latents.dims[3] / latents.dims[2] % c_count;
    const std::int64_t b = i / latents.dims[3] / latents.dims[2] / c_count;
    const std::int64_t columns = latents.dims[3] / p;
    const std::int64_t token = (b * (latents.dims[2] / p) + y / p) * columns + x / p;
    const std::int64_t inside = y % p * p + x % p;
    const std::int64_t at =
        token * p * p * c_count + (to_patches ? c * p * p + inside : inside * c_count + c);
    if (to_patches) {
      store_one(patches.dtype, patches.data, at, static_cast<const float*>(latents.data)[i]);
    } else {
      static_cast<float*>(latents.data)[i] = load_one(patches.dtype, patches.data, at);
    }
  }
};

struct AddPositions {
  View x, table;  // [1, B, h*w, D], [1, P, P, D]
  std::int64_t height, width;
  __device__ std::int64_t table_row(unsigned token) const {
    const auto columns = static_cast<unsigned>(width);
    const std::int64_t row = (table.dims[1] - height) / 2 + token / columns;
    return row * table.dims[2] + (table.dims[2] - width) / 2 + token % columns;
  }
  __device__ void operator()(std::int64_t i) const {
    const std::int64_t d = x.dims[3];
    const auto token = static_cast<unsigned>(i / d % x.dims[2]);
    const float position = load_one(table.dtype, table.data, table_row(token) * d + i % d);
    store_one(x.dtype, x.data, i, load_one(x.dtype, x.data, i) + position);
  }
};

// The same for eight neighbouring columns: what a large picture needs, with 32-bit divisions.
template <typename X, typename Table>
struct AddPositionVectors {
  AddPositions a;
  __device__ void operator()(std::int64_t i) const {
    const auto vectors = static_cast<unsigned>(a.x.dims[3] / 8);
    const unsigned row = static_cast<unsigned>(i) / vectors;
    const std::int64_t column = (static_cast<unsigned>(i) - row * vectors) * 8;
    const std::int64_t from = a.table_row(row % static_cast<unsigned>(a.x.dims[2]));
    float v[8], position[8];
    load8<X>(a.x.data, i * 8, v);
    load8<Table>(a.table.data, from * a.x.dims[3] + column, position);
#pragma unroll
    for (int j = 0; j < 8; ++j) v[j] += position[j];
    store8(a.x.dtype, a.x.data, i * 8, v);
  }
};

bool whole_vectors(const View& v) {
  return (v.dtype == DType::kBF16 || v.dtype == DType::kF32) && v.dims[3] % 8 == 0 &&
         reinterpret_cast<std::uintptr_t>(v.data) % 16 == 0 && count_of(v) < std::int64_t{8} << 31;
}

template <typename X>
void add_position_vectors(cudaStream_t stream, const AddPositions& a) {
  const std::int64_t count = count_of(a.x) / 8;
  if (a.table.dtype == DType::kBF16) {
    launch(stream, count, AddPositionVectors<X, __nv_bfloat16>{a});
  } else {
    launch(stream, count, AddPositionVectors<X, float>{a});
  }
}

// arXiv 1910.10683; the same bucket limits as T5: logarithmic beyond n/2.
struct RelativeBias {
  View dst, table;  // [1, H, L, L], [1, 1, buckets, H]
  std::int64_t max_distance;
  __device__ void operator()(std::int64_t i) const {
    const std::int64_t length = dst.dims[3];
    const std::int64_t k = i % length, q = i / length % length, h = i / length / length;
    const std::int64_t n = table.dims[2] / 2;
    const std::int64_t distance = k - q;
    const std::int64_t size = distance < 0 ? -distance : distance;
    std::int64_t bucket = size;
    if (size >= n / 2) {
      const double half = static_cast<double>(n / 2);
      const double far = log(static_cast<double>(size) / half) /
                         log(static_cast<double>(max_distance) / half) *
                         (static_cast<double>(n) - half);
      // At exact powers the logarithms agree up to rounding; the floor of the exact value is meant.
      bucket = n / 2 + static_cast<std::int64_t>(floor(far + 1e-9));
      if (bucket > n - 1) bucket = n - 1;
    }
    if (distance > 0) bucket += n;
    static_cast<float*>(dst.data)[i] =
        load_one(table.dtype, table.data, bucket * table.strides[2] + h * table.strides[3]);
  }
};

}  // namespace

void embed_tokens(cudaStream_t stream, const RowView& dst, const std::int32_t* ids,
                  const View& table, const View& positions, std::int64_t tokens) {
  launch(stream, dst.rows * dst.columns, EmbedTokens{dst, ids, table, positions, tokens});
}

void timestep_embedding(cudaStream_t stream, const View& dst, const float* timesteps) {
  launch(stream, count_of(dst), TimestepEmbedding{dst, timesteps});
}

void patchify(cudaStream_t stream, const View& patches, const View& latents, std::int64_t patch) {
  launch(stream, count_of(latents), Patches{latents, patches, patch, true});
}

void unpatchify(cudaStream_t stream, const View& latents, const View& patches, std::int64_t patch) {
  launch(stream, count_of(latents), Patches{latents, patches, patch, false});
}

void add_position_crop(cudaStream_t stream, const View& x, const View& table, std::int64_t height,
                       std::int64_t width) {
  const AddPositions a{x, table, height, width};
  if (!whole_vectors(x) || !whole_vectors(table)) return launch(stream, count_of(x), a);
  if (x.dtype == DType::kBF16) return add_position_vectors<__nv_bfloat16>(stream, a);
  add_position_vectors<float>(stream, a);
}

void relative_position_bias(cudaStream_t stream, const View& dst, const View& table,
                            std::int64_t max_distance) {
  launch(stream, count_of(dst), RelativeBias{dst, table, max_distance});
}

}  // namespace octet::cuda
