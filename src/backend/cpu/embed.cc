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

namespace {

// Where a token's patch begins in a picture [B, C, H, W]: channel c, line py of the patch lie
// c*plane + py*width further.
struct PatchGrid {
  std::int64_t channels, height, width, patch;
  [[nodiscard]] std::int64_t plane() const { return height * width; }
  [[nodiscard]] std::int64_t origin(std::int64_t row) const {
    const std::int64_t across = width / patch;
    const std::int64_t tokens = height / patch * across;
    const std::int64_t token = row % tokens;
    return row / tokens * channels * plane() + token / across * patch * width +
           token % across * patch;
  }
};

}  // namespace

void CpuBackend::patchify(const PatchifyArgs& a) {
  const PatchGrid grid{a.src.dim(1), a.src.dim(2), a.src.dim(3), a.patch};
  const std::int64_t n = a.dst.dim(2);
  for_rows(a.dst.rows(), n, [&](std::int64_t begin, std::int64_t end, int worker) {
    RowWriter out(kernels_, a.dst, scratch(worker).floats(Scratch::kRow, n));
    for (std::int64_t r = begin; r < end; ++r) {
      const float* source = a.src.as<const float>() + grid.origin(r);
      out.write(r, [&](float* row) {
        for (std::int64_t c = 0; c < grid.channels; ++c, source += grid.plane()) {
          for (std::int64_t py = 0; py < grid.patch; ++py) {
            row = std::copy_n(source + py * grid.width, grid.patch, row);
          }
        }
      });
    }
  });
}

void CpuBackend::unpatchify(const UnpatchifyArgs& a) {
  const PatchGrid grid{a.dst.dim(1), a.dst.dim(2), a.dst.dim(3), a.patch};
  const std::int64_t n = a.src.dim(2);
  for_rows(a.src.rows(), n, [&](std::int64_t begin, std::int64_t end, int worker) {
    RowReader in(kernels_, a.src, scratch(worker).floats(Scratch::kRow, n));
    for (std::int64_t r = begin; r < end; ++r) {
      const float* row = in.at(r);
      float* target = a.dst.as<float>() + grid.origin(r);
      for (std::int64_t py = 0; py < grid.patch; ++py) {
        for (std::int64_t px = 0; px < grid.patch; ++px) {
          float* pixel = target + py * grid.width + px;
          for (std::int64_t c = 0; c < grid.channels; ++c) pixel[c * grid.plane()] = *row++;
        }
      }
    }
  });
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
