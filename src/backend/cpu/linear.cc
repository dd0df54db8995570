// linear(): rows times packed panels.
//
// A task is a block of rows times a group of panels. It packs the rows (as FP32, grouped for the
// tile kernel), then decodes panel after panel into a buffer that stays in the second-level cache
// and sweeps each over the rows. Deep products are cut along k; partial sums then wait in FP32 and
// the chain of additions goes on where it stopped, so the cut changes nothing in the result.
#include <algorithm>

#include "backend/cpu/cpu_ops.h"
#include "base/check.h"

namespace octet::cpu {
namespace {

constexpr std::int64_t kDepthBlock = 640;  // most k per pass
const std::int64_t kInputFloats =
    getenv("KI") ? atoi(getenv("KI")) * 1024 : 192 * 1024;  // packed rows of a task
constexpr std::int64_t kSumFloats = 256 * 1024;             // partial sums of a task
constexpr std::int64_t kFp8Floats = 2 * 1024 * 1024;        // FP32 rows waiting to become FP8
constexpr std::int64_t kSplitRows = 64;  // fewer rows per thread: split columns first

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

}  // namespace

struct CpuBackend::ProductPlan {
  std::int64_t row_blocks, panel_groups, depth_blocks;
};

void CpuBackend::decode(const PackedCpuWeight& w, std::int64_t panel, std::int64_t begin,
                        std::int64_t end, float* dst) const {
  const auto rows = [](std::int64_t n) { return static_cast<std::size_t>(n); };
  if (w.block == 0) {
    kernels_.decode_panel(w.stored, w.panel_codes(panel, begin), rows(end - begin), nullptr, dst);
    return;
  }
  for (std::int64_t k = begin; k < end;) {
    const std::int64_t block = k / w.block;
    const std::int64_t stop = std::min(end, (block + 1) * w.block);
    const float* scales = w.block_scale.data() + block * w.panels * w.panel + panel * w.panel;
    kernels_.decode_panel(w.stored, w.panel_codes(panel, k), rows(stop - k), scales,
                          dst + (k - begin) * w.panel);
    k = stop;
  }
}

void CpuBackend::run_block(const Product& p, const ProductPlan& plan, std::int64_t task,
                           int worker) {
  const PackedCpuWeight& w = *p.weight;
  const std::int64_t block = task / plan.panel_groups;
  const std::int64_t group = task % plan.panel_groups;
  const std::int64_t row0 = p.rows * block / plan.row_blocks;
  const std::int64_t rows = p.rows * (block + 1) / plan.row_blocks - row0;
  const std::int64_t panel0 = w.panels * group / plan.panel_groups;
  const std::int64_t panel1 = w.panels * (group + 1) / plan.panel_groups;
  const std::int64_t tiles = ceil_div(rows, kernels_.tile_rows);
  const std::int64_t groups = w.depth / kGroup;
  const std::int64_t most_depth = ceil_div(groups, plan.depth_blocks) * kGroup;

  Scratch& memory = scratch(worker);
  float* input = memory.floats(Scratch::kInput, rows * most_depth);
  float* panel_values = memory.floats(Scratch::kPanel, most_depth * w.panel);
  const bool deep = plan.depth_blocks > 1;
  float* sums = deep ? memory.floats(Scratch::kSums, rows * (panel1 - panel0) * w.panel) : nullptr;
  alignas(64) float tile_sums[kMaxTileRows * kMaxPanel];
  const auto x_size = static_cast<std::int64_t>(size_of(p.x_dtype));
  const std::int64_t in = p.in;

  for (std::int64_t d = 0; d < plan.depth_blocks; ++d) {
    const std::int64_t k0 = groups * d / plan.depth_blocks * kGroup;
    const std::int64_t k1 = groups * (d + 1) / plan.depth_blocks * kGroup;
    const bool last = d + 1 == plan.depth_blocks;
    const auto elements = static_cast<std::size_t>(std::min(k1, in) - k0);
    for (std::int64_t t = 0; t < tiles; ++t) {
      const std::int64_t begin = rows * t / tiles;
      const std::int64_t end = rows * (t + 1) / tiles;
      for (std::int64_t r = begin; r < end; ++r) {
        kernels_.pack_row(p.x_dtype, p.x + (p.x_offsets[row0 + r] + k0) * x_size, elements,
                          input + begin * (k1 - k0) + (r - begin) * kGroup, (end - begin) * kGroup);
      }
    }
    for (std::int64_t panel = panel0; panel < panel1; ++panel) {
      const float* b = panel_values;
      if (w.stored == DType::kF32) {  // nothing to decode
        b = reinterpret_cast<const float*>(w.panel_codes(panel, k0));
      } else {
        decode(w, panel, k0, k1, panel_values);
      }
      const std::int64_t columns = std::min(w.panel, w.out - panel * w.panel);
      float* panel_sums = deep ? sums + (panel - panel0) * rows * w.panel : nullptr;
      for (std::int64_t t = 0; t < tiles; ++t) {
        const std::int64_t begin = rows * t / tiles;
        const std::int64_t end = rows * (t + 1) / tiles;
        float* c = deep ? panel_sums + begin * w.panel : tile_sums;
        const int tile_rows = static_cast<int>(end - begin);
        kernels_.gemm_tile({.a = input + begin * (k1 - k0),
                            .lda = kGroup,
                            .outer = 1,
                            .outer_step = 0,
                            .inner = (k1 - k0) / kGroup,
                            .inner_step = tile_rows * kGroup,
                            .length = kGroup,
                            .b = b,
                            .ldb = w.panel,
                            .c = c,
                            .ldc = w.panel,
                            .rows = tile_rows,
                            .columns = static_cast<int>(ceil_div(columns, 16) * 16),
                            .accumulate = d > 0});
        if (!last) continue;
        FinishTile finish = p.finish;
        finish.c = c;
        finish.ldc = w.panel;
        finish.rows = tile_rows;
        finish.columns = static_cast<int>(columns);
        const std::int64_t row = row0 + begin;
        const std::int64_t column = panel * w.panel;
        if (finish.row_scale != nullptr) finish.row_scale += row * finish.row_scale_step;
        if (!w.column_scale.empty()) finish.column_scale = w.column_scale.data() + column;
        if (!w.bias.empty()) finish.bias = w.bias.data() + column;
        finish.dst = static_cast<char*>(finish.dst) +
                     column * static_cast<std::int64_t>(size_of(finish.dst_dtype));
        finish.dst_offsets += row;
        if (finish.residual != nullptr) {
          finish.residual = static_cast<const char*>(finish.residual) +
                            column * static_cast<std::int64_t>(size_of(finish.residual_dtype));
          finish.residual_offsets += row;
        }
        kernels_.finish_tile(finish);
      }
    }
  }
}

void CpuBackend::run_product(const Product& p) {
  if (p.rows == 0) return;
  const PackedCpuWeight& w = *p.weight;
  const std::int64_t threads = pool_.threads();
  ProductPlan plan{};
  plan.depth_blocks = ceil_div(w.depth, kDepthBlock);
  const std::int64_t depth = ceil_div(w.depth / kGroup, plan.depth_blocks) * kGroup;
  const std::int64_t most_rows = std::max<std::int64_t>(kInputFloats / depth, kernels_.tile_rows);
  plan.row_blocks = ceil_div(p.rows, most_rows);
  // Splitting rows makes every thread decode all panels, splitting columns makes every thread pack
  // all rows; with twice as many columns as rows the first costs more.
  if (w.out < 2 * p.rows) {
    plan.row_blocks = std::max(plan.row_blocks, std::min(threads, p.rows / kSplitRows));
  }
  plan.panel_groups = std::min(w.panels, ceil_div(threads, plan.row_blocks));
  if (plan.depth_blocks > 1) {
    const std::int64_t rows = ceil_div(p.rows, plan.row_blocks);
    const std::int64_t most_panels = std::max<std::int64_t>(kSumFloats / (rows * w.panel), 1);
    plan.panel_groups = std::max(plan.panel_groups, ceil_div(w.panels, most_panels));
  }
  pool_.parallel_for(plan.row_blocks * plan.panel_groups,
                     [&](std::int64_t task, int worker) { run_block(p, plan, task, worker); });
}

// FP8 output needs the largest value of a whole row first: rows pass through FP32.
void CpuBackend::linear_to_fp8(const LinearArgs& a, Product p) {
  const std::int64_t out = a.weight->out;
  const std::int64_t total = p.rows;
  const std::int64_t chunk = std::max<std::int64_t>(1, kFp8Floats / out);
  const float* row_scale = p.finish.row_scale;
  for (std::int64_t begin = 0; begin < total; begin += chunk) {
    p.rows = std::min(chunk, total - begin);
    float* rows = shared_.floats(Scratch::kRow, p.rows * out);
    row_offsets(make_tensor(rows, DType::kF32, {p.rows, out}), dst_offsets_);
    p.x_offsets = x_offsets_.data() + begin;
    p.finish.dst = rows;
    p.finish.dst_dtype = DType::kF32;
    p.finish.dst_offsets = dst_offsets_.data();
    if (row_scale != nullptr) p.finish.row_scale = row_scale + begin * p.finish.row_scale_step;
    if (a.residual) p.finish.residual_offsets = residual_offsets_.data() + begin;
    run_product(p);
    for_rows(p.rows, out, [&](std::int64_t from, std::int64_t to, int) {
      RowWriter writer(kernels_, a.dst, nullptr);
      for (std::int64_t r = from; r < to; ++r) writer.store(begin + r, rows + r * out);
    });
  }
}

void CpuBackend::linear(const LinearArgs& a) {
  const auto& weight = static_cast<const PackedCpuWeight&>(*a.weight->packed);
  Product p;
  p.weight = &weight;
  p.rows = a.x.data.rows();
  p.x_dtype = a.x.data.dtype;
  p.x = a.x.data.as<const unsigned char>();
  row_offsets(a.x.data, x_offsets_);
  p.x_offsets = x_offsets_.data();
  p.in = a.weight->in;
  p.finish.act = a.act;
  if (a.x.scale) {
    p.finish.row_scale = a.x.scale.as<const float>();
    p.finish.row_scale_step = a.x.scale.numel() == 1 ? 0 : 1;
  }
  if (a.residual) {
    row_offsets(a.residual, residual_offsets_);
    p.finish.residual = a.residual.data;
    p.finish.residual_dtype = a.residual.dtype;
    p.finish.residual_offsets = residual_offsets_.data();
  }
  if (is_fp8(a.dst.data.dtype)) return linear_to_fp8(a, p);
  row_offsets(a.dst.data, dst_offsets_);
  p.finish.dst = a.dst.data.data;
  p.finish.dst_dtype = a.dst.data.dtype;
  p.finish.dst_offsets = dst_offsets_.data();
  run_product(p);
}

}  // namespace octet::cpu
