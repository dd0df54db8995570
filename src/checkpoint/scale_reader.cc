#include "checkpoint/scale_reader.h"

#include <cmath>
#include <numeric>

#include "base/check.h"
#include "tensor/float_formats.h"

namespace octet {
namespace {

using Shape = std::vector<std::int64_t>;

std::int64_t count_of(const Shape& dims) {
  std::int64_t n = 1;
  for (const std::int64_t d : dims) {
    if (__builtin_mul_overflow(n, d, &n)) return INT64_MAX;
  }
  return n;
}

std::int64_t blocks(std::int64_t length, std::int64_t side) { return (length + side - 1) / side; }

std::vector<float> values_of(const std::string& component, const TensorRef& scale) {
  const TensorInfo& info = *scale.info;
  if (info.dtype != DType::kF32) {
    throw Error(Code::kUnsupported,
                format("%s: scale \"%s\": expected F32, found %s", component.c_str(),
                       excerpt(info.name).c_str(), excerpt(info.dtype_name).c_str()));
  }
  const std::vector<std::byte> bytes = scale.file->read(info);
  std::vector<float> values(bytes.size() / sizeof(float));
  decode_to_f32(DType::kF32, bytes.data(), values.data(), values.size());
  for (const float v : values) {
    if (std::isfinite(v) && v > 0) continue;
    throw Error(Code::kCorruptFile,
                format("%s: scale \"%s\": expected finite values above 0, found %g",
                       component.c_str(), excerpt(info.name).c_str(), static_cast<double>(v)));
  }
  return values;
}

// A grid of squares with `block` rows and columns, seen as one of smaller squares.
RowScales refined(const RowScales& s, std::int64_t rows, std::int64_t columns, std::int64_t side) {
  RowScales fine{.kind = ScaleKind::kBlock, .values = {}, .block = side};
  const std::int64_t across = blocks(columns, s.block);
  for (std::int64_t r = 0; r < rows; r += side) {
    for (std::int64_t c = 0; c < columns; c += side) {
      fine.values.push_back(s.values[static_cast<std::size_t>(r / s.block * across + c / s.block)]);
    }
  }
  return fine;
}

// One scale per row: as they are, or the one scale repeated.
std::vector<float> by_row(const RowScales& s, std::int64_t rows) {
  if (s.kind == ScaleKind::kRow) return s.values;
  const float one = s.kind == ScaleKind::kTensor ? s.values[0] : 1.0f;
  return std::vector<float>(static_cast<std::size_t>(rows), one);
}

}  // namespace

ScaleKind scale_kind(const std::string& component, const StoredTensor& weight) {
  if (!weight.weight_scale) return ScaleKind::kNone;
  const Shape& dims = weight.data.info->dims;
  const TensorInfo& scale = *weight.weight_scale->info;
  const std::int64_t rows = all_rows(*weight.data.info).count;
  const std::int64_t count = count_of(scale.dims);
  if (count == 1) return ScaleKind::kTensor;
  if (count == rows && (scale.dims[0] == rows || scale.dims.back() == rows)) return ScaleKind::kRow;
  const Shape grid = dims.size() != 2
                         ? Shape{}
                         : Shape{blocks(dims[0], weight.block), blocks(dims[1], weight.block)};
  if (!grid.empty() && scale.dims == grid) return ScaleKind::kBlock;
  throw Error(Code::kModelMismatch,
              format("%s: scale \"%s\": expected 1 or %lld values, or one per square of %lld, "
                     "found %lld",
                     component.c_str(), excerpt(scale.name).c_str(), static_cast<long long>(rows),
                     static_cast<long long>(weight.block), static_cast<long long>(count)));
}

RowScales read_scales(const std::string& component, const StoredTensor& weight, RowRange rows) {
  RowScales s{.kind = scale_kind(component, weight), .values = {}, .block = weight.block};
  if (s.kind == ScaleKind::kNone) return s;
  s.values = values_of(component, *weight.weight_scale);
  if (s.kind == ScaleKind::kTensor) return s;
  if (s.kind == ScaleKind::kRow) {
    const auto first = s.values.begin() + rows.first;
    s.values = std::vector<float>(first, first + rows.count);
    return s;
  }
  const Shape& dims = weight.data.info->dims;
  if (rows.first % s.block != 0) {
    s = refined(s, dims[0], dims[1], std::gcd(s.block, rows.first));
  }
  const std::int64_t across = blocks(dims[1], s.block);
  const auto first = s.values.begin() + rows.first / s.block * across;
  s.values = std::vector<float>(first, first + blocks(rows.count, s.block) * across);
  return s;
}

void append_scales(RowScales& joint, std::int64_t total, RowScales more, std::int64_t rows,
                   std::int64_t columns) {
  if (total == 0) {
    joint = std::move(more);
    return;
  }
  const bool same = joint.kind == more.kind && joint.values == more.values;
  if (joint.kind == ScaleKind::kNone && more.kind == ScaleKind::kNone) return;
  if (same && joint.kind == ScaleKind::kTensor) return;
  if (joint.kind == ScaleKind::kBlock && more.kind == ScaleKind::kBlock) {
    const std::int64_t side = std::gcd(std::gcd(joint.block, more.block), total);
    if (side != joint.block) joint = refined(joint, total, columns, side);
    if (side != more.block) more = refined(more, rows, columns, side);
  } else if (joint.kind == ScaleKind::kBlock || more.kind == ScaleKind::kBlock) {
    throw Error(Code::kUnsupported,
                "scales of one layer: expected blocks in all of its parts or in none, found both");
  } else {
    joint.values = by_row(joint, total);
    more.values = by_row(more, rows);
    joint.kind = ScaleKind::kRow;
  }
  joint.values.insert(joint.values.end(), more.values.begin(), more.values.end());
}

std::optional<float> read_input_scale(const std::string& component, const StoredTensor& weight) {
  if (!weight.input_scale) return std::nullopt;
  const std::int64_t count = count_of(weight.input_scale->info->dims);
  if (count != 1) {
    throw Error(
        Code::kModelMismatch,
        format("%s: scale \"%s\": expected 1 value, found %lld", component.c_str(),
               excerpt(weight.input_scale->info->name).c_str(), static_cast<long long>(count)));
  }
  const std::vector<float> values = values_of(component, *weight.input_scale);
  if (weight.unit_input_scale_is_none && values[0] == 1.0f) return std::nullopt;
  return values[0];
}

}  // namespace octet
