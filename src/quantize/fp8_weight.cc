#include "quantize/fp8_weight.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/check.h"
#include "tensor/float_formats.h"

namespace octet {
namespace {

std::int64_t columns_of(const HostWeight& w) {
  std::int64_t columns = 1;
  for (std::size_t i = 1; i < w.dims.size(); ++i) columns *= w.dims[i];
  return columns;
}

// Empty for a row with a value that is not finite.
std::optional<float> largest(std::span<const float> row) {
  float amax = 0;
  for (const float v : row) {
    if (!std::isfinite(v)) return std::nullopt;
    amax = std::max(amax, std::fabs(v));
  }
  return amax;
}

float scale_at(const HostWeight& w, std::int64_t row, std::int64_t column) {
  switch (w.scale_kind) {
    case ScaleKind::kNone:
      return 1.0f;
    case ScaleKind::kTensor:
      return w.scale.at(0);
    case ScaleKind::kRow:
      return w.scale.at(static_cast<std::size_t>(row));
    case ScaleKind::kBlock:
      break;
  }
  const std::int64_t blocks = (w.dims[1] + w.block - 1) / w.block;
  return w.scale.at(static_cast<std::size_t>(row / w.block * blocks + column / w.block));
}

}  // namespace

std::vector<float> values_of(const HostWeight& w) {
  const std::int64_t columns = columns_of(w);
  std::vector<float> values(static_cast<std::size_t>(w.dims[0] * columns));
  decode_to_f32(w.dtype, w.data.data(), values.data(), values.size());
  if (w.scale_kind == ScaleKind::kNone) return values;
  for (std::int64_t r = 0; r < w.dims[0]; ++r) {
    for (std::int64_t c = 0; c < columns; ++c) {
      values[static_cast<std::size_t>(r * columns + c)] *= scale_at(w, r, c);
    }
  }
  return values;
}

std::vector<float> row_scales(const HostWeight& source, WeightScale scale, int parts,
                              ThreadPool& pool) {
  const std::int64_t rows = source.dims[0];
  const auto width = static_cast<std::size_t>(columns_of(source));
  OCTET_CHECK(!is_fp8(source.dtype) && source.scale_kind == ScaleKind::kNone && parts > 0 &&
                  rows % parts == 0,
              "%s cannot be quantised", source.name.c_str());
  const std::vector<float> values = values_of(source);
  std::vector<float> scales(static_cast<std::size_t>(rows));
  pool.parallel_for(rows, [&](std::int64_t r, int) {
    const auto row = static_cast<std::size_t>(r);
    const std::optional<float> amax = largest(std::span(values).subspan(row * width, width));
    if (!amax) {
      throw Error(Code::kCorruptFile,
                  format("tensor \"%s\": expected finite values, found NaN or infinity in row %lld",
                         source.name.c_str(), static_cast<long long>(r)));
    }
    scales[row] = *amax;
  });
  const std::int64_t group = scale == WeightScale::kRow ? 1 : rows / parts;
  for (auto begin = scales.begin(); begin != scales.end(); begin += group) {
    const float amax = *std::max_element(begin, begin + group);
    std::fill(begin, begin + group, amax > 0 ? amax / kE4M3Max : 1.0f);
  }
  return scales;
}

HostWeight quantise_weight(const HostWeight& source, WeightScale scale, int parts,
                           ThreadPool& pool) {
  const std::vector<float> values = values_of(source);
  HostWeight result{.name = source.name,
                    .dtype = DType::kF8E4M3,
                    .dims = source.dims,
                    .data = std::vector<std::byte>(values.size()),
                    .scale_kind = ScaleKind::kRow,
                    .scale = row_scales(source, scale, parts, pool),
                    .bias = source.bias};
  const auto width = static_cast<std::size_t>(columns_of(source));
  pool.parallel_for(source.dims[0], [&](std::int64_t r, int) {
    const auto row = static_cast<std::size_t>(r);
    for (std::size_t i = row * width; i < (row + 1) * width; ++i) {
      result.data[i] = static_cast<std::byte>(f32_to_e4m3(values[i] / result.scale[row]));
    }
  });
  return result;
}

double worst_row_error(const HostWeight& source, const HostWeight& candidate) {
  OCTET_CHECK(source.dims == candidate.dims, "%s: other dimensions", source.name.c_str());
  const std::vector<float> a = values_of(source);
  const std::vector<float> b = values_of(candidate);
  const auto width = static_cast<std::size_t>(columns_of(source));
  double worst = 0;
  for (std::size_t begin = 0; begin < a.size(); begin += width) {
    double difference = 0;
    double size = 0;
    for (std::size_t i = begin; i < begin + width; ++i) {
      const double d = static_cast<double>(b[i]) - static_cast<double>(a[i]);
      difference += d * d;
      size += static_cast<double>(a[i]) * static_cast<double>(a[i]);
    }
    if (difference == 0) continue;
    worst = std::max(
        worst, size > 0 ? std::sqrt(difference / size) : std::numeric_limits<double>::infinity());
  }
  return worst;
}

}  // namespace octet
