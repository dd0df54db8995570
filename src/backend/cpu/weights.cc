// prepare(): from a checkpoint's weight to packed panels.
#include <algorithm>
#include <cstring>

#include "backend/cpu/cpu_ops.h"
#include "base/check.h"
#include "tensor/float_formats.h"

namespace octet::cpu {
namespace {

std::int64_t round_up(std::int64_t n, std::int64_t to) { return (n + to - 1) / to * to; }

// 16-bit checkpoint types and FP8 codes stay as they are where that is exact.
DType stored_dtype(const HostWeight& w, Compute compute) {
  const bool scaled = w.scale_kind != ScaleKind::kNone;
  const bool half = w.dtype == DType::kF16 || w.dtype == DType::kBF16;
  switch (compute) {
    case Compute::kF32:
      return half && !scaled ? w.dtype : DType::kF32;
    case Compute::kBF16:
      return half && !scaled ? w.dtype : DType::kBF16;
    case Compute::kW8A16:
    case Compute::kFP8:
      break;
  }
  return w.dtype;
}

DType input_dtype(Compute compute) {
  if (compute == Compute::kF32) return DType::kF32;
  return compute == Compute::kFP8 ? DType::kF8E4M3 : DType::kBF16;
}

float scale_at(const HostWeight& w, std::int64_t row, std::int64_t column) {
  switch (w.scale_kind) {
    case ScaleKind::kNone:
      return 1.0f;
    case ScaleKind::kTensor:
      return w.scale[0];
    case ScaleKind::kRow:
      return w.scale[static_cast<std::size_t>(row)];
    case ScaleKind::kBlock:
      break;
  }
  const std::int64_t columns = (w.dims[1] + w.block - 1) / w.block;
  return w.scale[static_cast<std::size_t>(row / w.block * columns + column / w.block)];
}

// Scatters one output row, given in checkpoint order [in][ky][kx], into its panel column.
template <typename Code>
void scatter(const unsigned char* row, std::int64_t in, std::int64_t window, std::int64_t panel,
             unsigned char* column) {
  const auto step = panel * static_cast<std::int64_t>(sizeof(Code));
  for (std::int64_t i = 0; i < in; ++i) {
    for (std::int64_t s = 0; s < window; ++s) {
      std::memcpy(column + (s * in + i) * step, row, sizeof(Code));
      row += sizeof(Code);
    }
  }
}

void scatter(DType dtype, const unsigned char* row, std::int64_t in, std::int64_t window,
             std::int64_t panel, unsigned char* column) {
  switch (size_of(dtype)) {
    case 1:
      return scatter<std::uint8_t>(row, in, window, panel, column);
    case 2:
      return scatter<std::uint16_t>(row, in, window, panel, column);
    default:
      return scatter<std::uint32_t>(row, in, window, panel, column);
  }
}

// One checkpoint row with its scales multiplied in, in the stored type.
void convert_row(const HostWeight& w, std::int64_t row, std::int64_t length, DType stored,
                 std::vector<float>& values, std::vector<unsigned char>& out) {
  const std::size_t count = static_cast<std::size_t>(length);
  values.resize(count);
  out.resize(count * size_of(stored));
  decode_to_f32(w.dtype, w.data.data() + static_cast<std::size_t>(row) * count * size_of(w.dtype),
                values.data(), count);
  if (w.scale_kind != ScaleKind::kNone) {
    const std::int64_t window = length / w.dims[1];
    for (std::int64_t i = 0; i < length; ++i) {
      values[static_cast<std::size_t>(i)] *= scale_at(w, row, i / window);
    }
  }
  encode_from_f32(stored, values.data(), out.data(), count);
}

std::vector<float> padded(const std::vector<float>& values, std::int64_t size) {
  std::vector<float> result = values;
  if (!result.empty()) result.resize(static_cast<std::size_t>(size), 0.0f);
  return result;
}

// Scales that are applied while computing, for codes kept as they are.
void keep_scales(const HostWeight& w, PackedCpuWeight& p) {
  const std::int64_t columns = p.panels * p.panel;
  const auto size = static_cast<std::size_t>(columns);
  if (w.scale_kind == ScaleKind::kTensor) p.column_scale.assign(size, w.scale[0]);
  if (w.scale_kind == ScaleKind::kRow) p.column_scale = padded(w.scale, columns);
  if (w.scale_kind != ScaleKind::kBlock) return;
  p.block = w.block;
  const std::int64_t blocks = (p.depth + w.block - 1) / w.block;
  p.block_scale.assign(static_cast<std::size_t>(blocks * columns), 0.0f);
  for (std::int64_t b = 0; b < blocks && b * w.block < w.dims[1]; ++b) {
    for (std::int64_t n = 0; n < p.out; ++n) {
      p.block_scale[static_cast<std::size_t>(b * columns + n)] = scale_at(w, n, b * w.block);
    }
  }
}

}  // namespace

Weight CpuBackend::prepare(const HostWeight& w, Compute compute) {
  check_weight(w);
  Weight result;
  result.out = w.dims[0];
  result.in = w.dims[1];
  result.kernel = w.dims.size() == 4 ? w.dims[2] : 1;
  result.compute = effective_compute(w, compute);
  result.stored = stored_dtype(w, result.compute);
  result.input = input_dtype(result.compute);
  if (result.compute == Compute::kFP8) result.input_scale = w.input_scale;

  const std::int64_t window = result.kernel * result.kernel;
  const std::int64_t length = result.in * window;
  auto packed = std::make_shared<PackedCpuWeight>();
  packed->stored = result.stored;
  packed->out = result.out;
  packed->depth = round_up(length, kGroup);
  packed->panel = kernels_.panel;
  packed->panels = (result.out + packed->panel - 1) / packed->panel;
  const std::size_t element = size_of(result.stored);
  const auto panel_bytes = static_cast<std::size_t>(packed->depth * packed->panel) * element;
  packed->codes = allocate_host(panel_bytes * static_cast<std::size_t>(packed->panels));
  packed->bias = padded(w.bias, packed->panels * packed->panel);
  const bool same = result.stored == w.dtype;
  if (same) keep_scales(w, *packed);

  pool_.parallel_for(packed->panels, [&](std::int64_t p, int) {
    auto* panel = static_cast<unsigned char*>(packed->codes.data()) +
                  static_cast<std::size_t>(p) * panel_bytes;
    std::memset(panel, 0, panel_bytes);
    std::vector<float> values;
    std::vector<unsigned char> converted;
    const std::int64_t end = std::min(packed->panel, packed->out - p * packed->panel);
    for (std::int64_t c = 0; c < end; ++c) {
      const std::int64_t row = p * packed->panel + c;
      if (!same) convert_row(w, row, length, result.stored, values, converted);
      const auto* source = same ? reinterpret_cast<const unsigned char*>(w.data.data()) +
                                      static_cast<std::size_t>(row * length) * element
                                : converted.data();
      scatter(result.stored, source, result.in, window, packed->panel,
              panel + static_cast<std::size_t>(c) * element);
    }
  });
  result.bytes = packed->codes.size() +
                 (packed->bias.size() + packed->column_scale.size() + packed->block_scale.size()) *
                     sizeof(float);
  result.packed = std::move(packed);
  return result;
}

}  // namespace octet::cpu
