// Ops at the edges of a network: embeddings, patches, positions.
#include <algorithm>
#include <cmath>

#include "backend/cpu/cpu_ops.h"
#include "base/check.h"

namespace octet::cpu {
namespace {
std::size_t count(std::int64_t n) { return static_cast<std::size_t>(n); }
}  // namespace

void CpuBackend::embed_tokens(const EmbedTokensArgs& a) {
  const std::int64_t tokens = a.dst.dim(1);
  const std::int64_t n = a.dst.dim(2);
  float* row = shared_.floats(Scratch::kRow, n);
  RowReader table(kernels_, a.table, row);
  RowReader positions(kernels_, a.positions, shared_.floats(Scratch::kRow2, n));
  Rows out(a.dst);
  for (std::int64_t r = 0; r < a.dst.dim(0) * tokens; ++r) {
    const std::int32_t id = a.ids.as<const std::int32_t>()[r];
    OCTET_CHECK(id >= 0 && id < a.table.dim(0), "[embed_tokens] id %d for %s", id,
                describe(a.table).c_str());
    const float* value = table.at(id);
    if (a.positions) {
      kernels_.add(value, positions.at(r % tokens), row, count(n));
      value = row;
    }
    kernels_.from_f32(a.dst.dtype, value, out.at(r), count(n));
  }
}

// Angles reach 1000 radians, so they are computed in double.
void CpuBackend::timestep_embedding(const TimestepEmbeddingArgs& a) {
  const std::int64_t n = a.dst.dim(1);
  const std::int64_t half = n / 2;
  float* row = shared_.floats(Scratch::kRow, n);
  Rows out(a.dst);
  for (std::int64_t r = 0; r < a.dst.dim(0); ++r) {
    const double t = double{a.timesteps.as<const float>()[r]};
    for (std::int64_t k = 0; k < half; ++k) {
      const double frequency =
          std::exp(-std::log(10000.0) * static_cast<double>(k) / static_cast<double>(half));
      row[k] = static_cast<float>(std::cos(t * frequency));
      row[half + k] = static_cast<float>(std::sin(t * frequency));
    }
    kernels_.from_f32(a.dst.dtype, row, out.at(r), count(n));
  }
}

void CpuBackend::patchify(const PatchifyArgs& a) {
  const std::int64_t p = a.patch;
  const std::int64_t channels = a.src.dim(1);
  const std::int64_t height = a.src.dim(2);
  const std::int64_t width = a.src.dim(3);
  const std::int64_t n = channels * p * p;
  float* row = shared_.floats(Scratch::kRow, n);
  Rows out(a.dst);
  for (std::int64_t r = 0; r < a.dst.rows(); ++r) {
    const std::int64_t token = r % a.dst.dim(1);
    const std::int64_t y = token / (width / p) * p;
    const std::int64_t x = token % (width / p) * p;
    for (std::int64_t i = 0; i < n; ++i) {
      const std::int64_t plane = r / a.dst.dim(1) * channels + i / (p * p);
      row[i] = a.src.as<const float>()[(plane * height + y + i / p % p) * width + x + i % p];
    }
    kernels_.from_f32(a.dst.dtype, row, out.at(r), count(n));
  }
}

void CpuBackend::unpatchify(const UnpatchifyArgs& a) {
  const std::int64_t p = a.patch;
  const std::int64_t channels = a.dst.dim(1);
  const std::int64_t height = a.dst.dim(2);
  const std::int64_t width = a.dst.dim(3);
  const std::int64_t n = channels * p * p;
  RowReader src(kernels_, a.src, shared_.floats(Scratch::kRow, n));
  for (std::int64_t r = 0; r < a.src.rows(); ++r) {
    const std::int64_t token = r % a.src.dim(1);
    const std::int64_t y = token / (width / p) * p;
    const std::int64_t x = token % (width / p) * p;
    const float* value = src.at(r);
    for (std::int64_t i = 0; i < n; ++i) {
      const std::int64_t plane = r / a.src.dim(1) * channels + i % channels;
      const std::int64_t py = i / channels / p;
      const std::int64_t px = i / channels % p;
      a.dst.as<float>()[(plane * height + y + py) * width + x + px] = value[i];
    }
  }
}

void CpuBackend::add_position_crop(const AddPositionCropArgs& a) {
  const std::int64_t n = a.x.dim(2);
  const std::int64_t side = a.table.dim(0);
  const std::int64_t top = (side - a.height) / 2;
  const std::int64_t left = (a.table.dim(1) - a.width) / 2;
  float* sum = shared_.floats(Scratch::kExtra, n);
  RowReader x(kernels_, a.x, shared_.floats(Scratch::kRow, n));
  RowReader table(kernels_, a.table, shared_.floats(Scratch::kRow2, n));
  Rows out(a.x);
  for (std::int64_t r = 0; r < a.x.rows(); ++r) {
    const std::int64_t token = r % a.x.dim(1);
    const std::int64_t at = (top + token / a.width) * a.table.dim(1) + left + token % a.width;
    kernels_.add(x.at(r), table.at(at), sum, count(n));
    kernels_.from_f32(a.x.dtype, sum, out.at(r), count(n));
  }
}

void CpuBackend::relative_position_bias(const RelativePositionBiasArgs& a) {
  const std::int64_t heads = a.dst.dim(0);
  const std::int64_t tokens = a.dst.dim(1);
  const std::int64_t buckets = a.table.dim(0) / 2;  // per sign
  const std::int64_t exact = buckets / 2;
  RowReader table(kernels_, a.table, shared_.floats(Scratch::kRow, heads));
  for (std::int64_t distance = 1 - tokens; distance < tokens; ++distance) {
    const std::int64_t size = std::abs(distance);
    std::int64_t bucket = size;
    if (size >= exact) {
      // In FP32, operation by operation, like the models were trained with: at exact powers the
      // floor depends on the rounding.
      const float far = std::log(static_cast<float>(size) / static_cast<float>(exact)) /
                        static_cast<float>(std::log(static_cast<double>(a.max_distance) /
                                                    static_cast<double>(exact))) *
                        static_cast<float>(buckets - exact);
      bucket = std::min(exact + static_cast<std::int64_t>(far), buckets - 1);
    }
    if (distance > 0) bucket += buckets;
    const float* value = table.at(bucket);
    for (std::int64_t h = 0; h < heads; ++h) {
      float* plane = a.dst.as<float>() + h * tokens * tokens;
      for (std::int64_t q = std::max<std::int64_t>(0, -distance);
           q + distance < tokens && q < tokens; ++q) {
        plane[q * tokens + q + distance] = value[h];
      }
    }
  }
}

}  // namespace octet::cpu
