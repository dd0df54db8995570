// conv2d() as an implicit product: output pixels are the rows, (ky, kx, channel) is k.
//
// A task computes a block of output pixels. It copies the part of the picture that the block sees
// into a strip of FP32 with the padding (and the upsampling) made explicit. In the strip the window
// of an output pixel is `kernel` runs of kernel*channels consecutive numbers, and the next pixel
// lies stride*channels further, so the tile kernel reads it in place.
#include <algorithm>
#include <cstring>

#include "backend/cpu/cpu_ops.h"
#include "base/check.h"

namespace octet::cpu {
namespace {

constexpr std::int64_t kStripFloats = 128 * 1024;  // a strip that fits the second-level cache
constexpr std::int64_t kMostColumns = 256;         // output pixels of one row in a block

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

}  // namespace

struct ConvPlan {
  std::int64_t rows, columns;  // of an output block
  std::int64_t row_blocks, column_blocks;
};

// Where one block lies, in output pixels and in the (enlarged) input.
struct ConvBlock {
  std::int64_t image;
  std::int64_t y0, y1, x0, x1;  // output
  std::int64_t in_y, in_x;      // first input row and column, may be negative
  std::int64_t in_rows, in_columns;
};

namespace {

ConvPlan plan_blocks(const Conv2dArgs& a, std::int64_t threads) {
  const std::int64_t height = a.dst.dim(1);
  const std::int64_t width = a.dst.dim(2);
  const std::int64_t k = a.weight->kernel;
  ConvPlan plan{};
  plan.column_blocks = ceil_div(width, kMostColumns);
  const auto strip_row = [&] {
    return (ceil_div(width, plan.column_blocks) * a.stride + k) * a.weight->in;
  };
  while (strip_row() * (k + a.stride) > kStripFloats && ceil_div(width, plan.column_blocks) > 32) {
    plan.column_blocks *= 2;
  }
  plan.columns = ceil_div(width, plan.column_blocks);
  const std::int64_t fitting = (kStripFloats / strip_row() - k) / a.stride + 1;
  plan.rows = std::clamp<std::int64_t>(fitting, 1, height);
  const std::int64_t others = a.dst.dim(0) * plan.column_blocks;
  if (threads > 1) {  // enough blocks to keep all threads busy to the end
    plan.rows = std::min(plan.rows, std::max<std::int64_t>(1, height * others / (3 * threads)));
  }
  plan.row_blocks = ceil_div(height, plan.rows);
  return plan;
}

// One row of the enlarged input between columns [from, to), inside the picture.
void copy_row(const Kernels& kernels, const Conv2dArgs& a, const unsigned char* row,
              std::int64_t from, std::int64_t to, float* dst) {
  const std::int64_t channels = a.weight->in;
  const auto size = static_cast<std::int64_t>(size_of(a.x.dtype));
  const auto count = [](std::int64_t n) { return static_cast<std::size_t>(n); };
  if (!a.upsample) {
    kernels.to_f32(a.x.dtype, row + from * channels * size, dst, count((to - from) * channels));
    return;
  }
  for (std::int64_t x = from; x < to; ++x, dst += channels) {
    if (x > from && x % 2 == 1) {
      std::memcpy(dst, dst - channels, count(channels) * sizeof(float));
    } else {
      kernels.to_f32(a.x.dtype, row + x / 2 * channels * size, dst, count(channels));
    }
  }
}

}  // namespace

void CpuBackend::fill_strip(const Conv2dArgs& a, const ConvBlock& b, int worker) {
  const std::int64_t channels = a.weight->in;
  const std::int64_t factor = a.upsample ? 2 : 1;
  const std::int64_t height = a.x.dim(1) * factor;
  const std::int64_t width = a.x.dim(2) * factor;
  const std::int64_t line = b.in_columns * channels;
  const std::int64_t from = std::clamp<std::int64_t>(b.in_x, 0, width);
  const std::int64_t to = std::clamp<std::int64_t>(b.in_x + b.in_columns, from, width);
  float* strip = scratch(worker).floats(Scratch::kInput, b.in_rows * line);
  const auto bytes = [](std::int64_t floats) {
    return static_cast<std::size_t>(floats) * sizeof(float);
  };
  for (std::int64_t r = 0; r < b.in_rows; ++r) {
    float* dst = strip + r * line;
    const std::int64_t y = b.in_y + r;
    if (y < 0 || y >= height || from >= to) {
      std::memset(dst, 0, bytes(line));
      continue;
    }
    if (a.upsample && r > 0 && y > 0 && y % 2 == 1) {
      std::memcpy(dst, dst - line, bytes(line));
      continue;
    }
    const std::int64_t source = (b.image * a.x.dim(1) + y / factor) * a.x.dim(2) * channels;
    const unsigned char* row =
        a.x.as<const unsigned char>() + source * static_cast<std::int64_t>(size_of(a.x.dtype));
    const std::int64_t before = (from - b.in_x) * channels;
    const std::int64_t inside = (to - from) * channels;
    std::memset(dst, 0, bytes(before));
    copy_row(kernels_, a, row, from, to, dst + before);
    std::memset(dst + before + inside, 0, bytes(line - before - inside));
  }
}

void CpuBackend::conv_block(const Conv2dArgs& a, const ConvBlock& b, int worker) {
  const auto& w = static_cast<const PackedCpuWeight&>(*a.weight->packed);
  const std::int64_t k = a.weight->kernel;
  const std::int64_t channels = a.weight->in;
  const std::int64_t line = b.in_columns * channels;
  fill_strip(a, b, worker);
  const float* strip = scratch(worker).floats(Scratch::kInput, b.in_rows * line);
  float* panel_values = scratch(worker).floats(Scratch::kPanel, w.depth * w.panel);
  alignas(64) float tile_sums[kMaxTileRows * kMaxPanel];
  std::int64_t offsets[kMaxTileRows];
  const std::int64_t pixels = b.x1 - b.x0;
  const std::int64_t tiles = ceil_div(pixels, kernels_.tile_rows);

  for (std::int64_t panel = 0; panel < w.panels; ++panel) {
    decode(w, panel, 0, k * k * channels, panel_values);
    const std::int64_t column = panel * w.panel;
    const std::int64_t columns = std::min(w.panel, w.out - column);
    FinishTile finish{};
    finish.c = tile_sums;
    finish.ldc = w.panel;
    finish.columns = static_cast<int>(columns);
    finish.column_scale = w.column_scale.empty() ? nullptr : w.column_scale.data() + column;
    finish.bias = w.bias.empty() ? nullptr : w.bias.data() + column;
    finish.dst = a.dst.data;
    finish.dst_dtype = a.dst.dtype;
    finish.dst_offsets = finish.residual_offsets = offsets;
    finish.residual = a.residual.data;
    finish.residual_dtype = a.residual.dtype;
    for (std::int64_t y = b.y0; y < b.y1; ++y) {
      const float* row = strip + (y - b.y0) * a.stride * line;
      for (std::int64_t t = 0; t < tiles; ++t) {
        const std::int64_t begin = pixels * t / tiles;
        finish.rows = static_cast<int>(pixels * (t + 1) / tiles - begin);
        kernels_.gemm_tile({.a = row + begin * a.stride * channels,
                            .lda = a.stride * channels,
                            .outer = k,
                            .outer_step = line,
                            .inner = 1,
                            .inner_step = 0,
                            .length = k * channels,
                            .b = panel_values,
                            .ldb = w.panel,
                            .c = tile_sums,
                            .ldc = w.panel,
                            .rows = finish.rows,
                            .columns = static_cast<int>(ceil_div(columns, 16) * 16),
                            .accumulate = false});
        const std::int64_t pixel = (b.image * a.dst.dim(1) + y) * a.dst.dim(2) + b.x0 + begin;
        for (int r = 0; r < finish.rows; ++r) offsets[r] = (pixel + r) * w.out + column;
        kernels_.finish_tile(finish);
      }
    }
  }
}

void CpuBackend::conv2d(const Conv2dArgs& a) {
  const std::int64_t k = a.weight->kernel;
  if (k == 1 && a.stride == 1 && !a.upsample && a.pad_before == 0 && a.pad_after == 0) {
    const std::int64_t pixels = a.dst.rows();
    LinearArgs rows;
    rows.dst = make_tensor(a.dst.data, a.dst.dtype, {pixels, a.weight->out});
    rows.x = make_tensor(a.x.data, a.x.dtype, {pixels, a.weight->in});
    rows.weight = a.weight;
    if (a.residual) {
      rows.residual = make_tensor(a.residual.data, a.residual.dtype, {pixels, a.weight->out});
    }
    return linear(rows);
  }
  const ConvPlan plan = plan_blocks(a, pool_.threads());
  const std::int64_t blocks = plan.row_blocks * plan.column_blocks;
  pool_.parallel_for(a.dst.dim(0) * blocks, [&](std::int64_t task, int worker) {
    const std::int64_t row = task % blocks / plan.column_blocks;
    const std::int64_t column = task % plan.column_blocks;
    ConvBlock b{};
    b.image = task / blocks;
    b.y0 = row * plan.rows;
    b.y1 = std::min(b.y0 + plan.rows, a.dst.dim(1));
    b.x0 = std::min(column * plan.columns, a.dst.dim(2));
    b.x1 = std::min(b.x0 + plan.columns, a.dst.dim(2));
    if (b.x0 == b.x1 || b.y0 >= b.y1) return;
    b.in_y = b.y0 * a.stride - a.pad_before;
    b.in_x = b.x0 * a.stride - a.pad_before;
    b.in_rows = (b.y1 - b.y0 - 1) * a.stride + k;
    b.in_columns = (b.x1 - b.x0 - 1) * a.stride + k;
    conv_block(a, b, worker);
  });
}

}  // namespace octet::cpu
