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

// What one thread needs while it packs.
struct Workspace {
  std::vector<std::byte> rows;
  std::vector<float> values;
  std::vector<unsigned char> converted;
};

// Rows of the checkpoint's codes: where they are, or read into the workspace.
const std::byte* codes_of(const HostWeight& w, std::int64_t first, std::int64_t count,
                          std::int64_t length, Workspace& work) {
  const std::size_t row = static_cast<std::size_t>(length) * size_of(w.dtype);
  if (w.deferred.empty()) return w.data.data() + static_cast<std::size_t>(first) * row;
  work.rows.resize(static_cast<std::size_t>(count) * row);
  read_rows(w.deferred, first, count, work.rows);
  return work.rows.data();
}

// One checkpoint row with its scales multiplied in, in the stored type.
void convert_row(const HostWeight& w, const std::byte* codes, std::int64_t row, DType stored,
                 Workspace& work) {
  const std::int64_t window = w.dims.size() == 4 ? w.dims[2] * w.dims[3] : 1;
  const std::int64_t length = w.dims[1] * window;
  const std::size_t count = static_cast<std::size_t>(length);
  std::vector<float>& values = work.values;
  values.resize(count);
  work.converted.resize(count * size_of(stored));
  decode_to_f32(w.dtype, codes, values.data(), count);
  if (w.scale_kind != ScaleKind::kNone) {
    for (std::int64_t i = 0; i < length; ++i) {
      values[static_cast<std::size_t>(i)] *= scale_at(w, row, i / window);
    }
  }
  encode_from_f32(stored, values.data(), work.converted.data(), count);
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

  std::vector<Workspace> workspaces(static_cast<std::size_t>(pool_.threads()));
  pool_.parallel_for(packed->panels, [&](std::int64_t p, int worker) {
    Workspace& work = workspaces[static_cast<std::size_t>(worker)];
    auto* panel = static_cast<unsigned char*>(packed->codes.data()) +
                  static_cast<std::size_t>(p) * panel_bytes;
    std::memset(panel, 0, panel_bytes);
    const std::int64_t first = p * packed->panel;
    const std::int64_t count = std::min(packed->panel, packed->out - first);
    const std::byte* codes = codes_of(w, first, count, length, work);
    for (std::int64_t c = 0; c < count; ++c) {
      const std::byte* row = codes + static_cast<std::size_t>(c * length) * size_of(w.dtype);
      if (!same) convert_row(w, row, first + c, result.stored, work);
      const auto* source =
          same ? reinterpret_cast<const unsigned char*>(row) : work.converted.data();
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

void CpuBackend::upload_deferred(const Tensor& dst, const Deferred& src) {
  const std::size_t bytes = bytes_of(src);
  OCTET_CHECK(dst.dense() && bytes == dst.bytes(), "[upload] %zu bytes to %s", bytes,
              describe(dst).c_str());
  read_into(src, {static_cast<std::byte*>(dst.data), bytes});
}

}  // namespace octet::cpu
