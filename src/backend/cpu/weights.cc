// prepare(): from a checkpoint's weight to packed panels.
#include <algorithm>
#include <cstring>

#include "backend/cpu/cpu_ops.h"
#include "backend/cpu/transpose_tile.h"
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

/// How codes lie in a panel.
struct PanelLayout {
  DType dtype = DType::kF32;
  std::int64_t in = 0, window = 1, panel = 0;
};

// Scatters inputs from `begin` on of one output row, given in checkpoint order [in][ky][kx], into
// its panel column.
template <typename Code>
void scatter(const PanelLayout& l, const unsigned char* row, std::int64_t begin,
             unsigned char* column) {
  const auto step = l.panel * static_cast<std::int64_t>(sizeof(Code));
  row += static_cast<std::size_t>(begin * l.window) * sizeof(Code);
  for (std::int64_t i = begin; i < l.in; ++i) {
    for (std::int64_t s = 0; s < l.window; ++s) {
      std::memcpy(column + (s * l.in + i) * step, row, sizeof(Code));
      row += sizeof(Code);
    }
  }
}

// `count` rows, one behind the other, into the columns of a panel: squares of them, and what is
// left over code by code.
template <typename Code>
void pack_rows(const PanelLayout& l, const unsigned char* row, std::int64_t count,
               unsigned char* column) {
  constexpr auto kSide = static_cast<std::int64_t>(kTileSide<sizeof(Code)>);
  const std::size_t stride = static_cast<std::size_t>(l.in * l.window) * sizeof(Code);
  const std::size_t line = static_cast<std::size_t>(l.panel) * sizeof(Code);
  while (count > 0) {
    const bool squares = l.window == 1 && count >= kSide;
    const std::int64_t done = squares ? l.in / kSide * kSide : 0;
    for (std::int64_t i = 0; i < done; i += kSide) {
      const auto at = static_cast<std::size_t>(i);
      transpose_tile<sizeof(Code)>(row + at * sizeof(Code), stride, column + at * line, line);
    }
    for (std::int64_t left = squares ? kSide : 1; left > 0; --left, --count) {
      scatter<Code>(l, row, done, column);
      row += stride;
      column += sizeof(Code);
    }
  }
}

void pack_rows(const PanelLayout& l, const std::byte* rows, std::int64_t count,
               unsigned char* panel) {
  const auto* codes = reinterpret_cast<const unsigned char*>(rows);
  switch (size_of(l.dtype)) {
    case 1:
      return pack_rows<std::uint8_t>(l, codes, count, panel);
    case 2:
      return pack_rows<std::uint16_t>(l, codes, count, panel);
    default:
      return pack_rows<std::uint32_t>(l, codes, count, panel);
  }
}

struct RowSpan {
  std::int64_t first = 0, count = 0;
};

// What one thread needs while it packs.
struct Workspace {
  std::vector<std::byte> rows;
  std::vector<float> values;
  std::vector<std::byte> converted;
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

// Checkpoint rows with their scales multiplied in, in the stored type.
const std::byte* convert_rows(const HostWeight& w, const std::byte* codes, RowSpan rows,
                              DType stored, Workspace& work) {
  const std::int64_t window = w.dims.size() == 4 ? w.dims[2] * w.dims[3] : 1;
  const std::int64_t length = w.dims[1] * window;
  const auto count = static_cast<std::size_t>(length);
  work.values.resize(count);
  work.converted.resize(static_cast<std::size_t>(rows.count) * count * size_of(stored));
  for (std::int64_t r = 0; r < rows.count; ++r) {
    const std::size_t begin = static_cast<std::size_t>(r) * count;
    decode_to_f32(w.dtype, codes + begin * size_of(w.dtype), work.values.data(), count);
    if (w.scale_kind != ScaleKind::kNone) {
      for (std::int64_t i = 0; i < length; ++i) {
        work.values[static_cast<std::size_t>(i)] *= scale_at(w, rows.first + r, i / window);
      }
    }
    encode_from_f32(stored, work.values.data(), work.converted.data() + begin * size_of(stored),
                    count);
  }
  return work.converted.data();
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

// Each thread reads the panels that it packs: several at once, for reads of some size.
void pack(const HostWeight& w, const PanelLayout& l, PackedCpuWeight& packed, ThreadPool& pool) {
  constexpr std::size_t kReadBytes = std::size_t{1} << 20;
  const std::int64_t length = l.in * l.window;
  const auto source_bytes = static_cast<std::size_t>(l.panel * length) * size_of(w.dtype);
  const std::size_t panel_bytes = packed.codes.size() / static_cast<std::size_t>(packed.panels);
  const std::int64_t group =
      std::clamp<std::int64_t>(static_cast<std::int64_t>(kReadBytes / source_bytes), 1,
                               packed.panels / (2 * pool.threads()) + 1);
  std::vector<Workspace> workspaces(static_cast<std::size_t>(pool.threads()));
  pool.parallel_for((packed.panels + group - 1) / group, [&](std::int64_t g, int worker) {
    Workspace& work = workspaces[static_cast<std::size_t>(worker)];
    const std::int64_t begin = g * group * l.panel;
    const std::int64_t end = std::min(begin + group * l.panel, packed.out);
    const std::byte* codes = codes_of(w, begin, end - begin, length, work);
    for (std::int64_t first = begin; first < end; first += l.panel) {
      const RowSpan rows{.first = first, .count = std::min(l.panel, end - first)};
      auto* panel = static_cast<unsigned char*>(packed.codes.data()) +
                    static_cast<std::size_t>(first / l.panel) * panel_bytes;
      if (rows.count < l.panel || length < packed.depth) std::memset(panel, 0, panel_bytes);
      const std::byte* source =
          l.dtype == w.dtype ? codes : convert_rows(w, codes, rows, l.dtype, work);
      pack_rows(l, source, rows.count, panel);
      codes += static_cast<std::size_t>(rows.count * length) * size_of(w.dtype);
    }
  });
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

  pack(w, {.dtype = result.stored, .in = result.in, .window = window, .panel = packed->panel},
       *packed, pool_);
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
