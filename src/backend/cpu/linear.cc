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

constexpr std::int64_t kDepthBlock = 640;             // most k per pass
constexpr std::int64_t kInputFloats = 192 * 1024;     // packed rows of a task
constexpr std::int64_t kSumFloats = 256 * 1024;       // partial sums of a task
constexpr std::int64_t kFp8Floats = 2 * 1024 * 1024;  // FP32 rows waiting to become FP8
constexpr std::int64_t kSplitRows = 64;               // fewer rows per thread: split columns first

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

}  // namespace

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

namespace {

// The work of one task: rows [row0, row0 + rows) times panels [panel0, panel1).
class ProductBlock {
 public:
  struct Range {
    std::int64_t row0, rows, panel0, panel1, depth_blocks;
  };
  ProductBlock(const Kernels& kernels, const Product& product, const Range& range, Scratch& memory);

  /// Calls decode(panel, k0, k1, dst) for panels that are not FP32 in memory.
  template <typename Decode>
  void run(Decode decode) {
    for (std::int64_t d = 0; d < range_.depth_blocks; ++d) {
      const std::int64_t groups = w_.depth / kGroup;
      k0_ = groups * d / range_.depth_blocks * kGroup;
      k1_ = groups * (d + 1) / range_.depth_blocks * kGroup;
      pack();
      for (std::int64_t panel = range_.panel0; panel < range_.panel1; ++panel) {
        const float* b = panel_values_;
        if (pairs_) {
          decode_pairs(panel);
        } else if (w_.stored == DType::kF32) {
          b = reinterpret_cast<const float*>(w_.panel_codes(panel, k0_));
        } else {
          decode(panel, k0_, k1_, panel_values_);
        }
        sweep(panel, b, d + 1 == range_.depth_blocks);
      }
    }
  }

 private:
  // Units of 4 bytes along k in the packed operands: FP32 numbers or BF16 pairs.
  [[nodiscard]] std::int64_t units(std::int64_t k) const {
    return pairs_ ? ceil_div(k, 2 * kGroup) * kGroup : k;
  }
  [[nodiscard]] std::int64_t tile_begin(std::int64_t tile) const {
    return range_.rows * tile / tiles_;
  }
  void pack();
  void decode_pairs(std::int64_t panel);
  void sweep(std::int64_t panel, const float* b, bool last);
  void finish(std::int64_t panel, std::int64_t begin, const float* sums, int rows);

  const Kernels& kernels_;
  const Product& product_;
  const PackedCpuWeight& w_;
  const Range range_;
  const bool pairs_;
  const std::int64_t tiles_;
  float *input_, *panel_values_, *sums_;
  std::int64_t k0_ = 0, k1_ = 0;
};

// Pairs are used where they are exact: not for FP16 weights, nor for scales inside the sum.
bool use_pairs(const Kernels& kernels, const Product& p) {
  const DType stored = p.weight->stored;
  return kernels.gemm_pairs != nullptr && p.x_dtype != DType::kF32 && p.weight->block == 0 &&
         (stored == DType::kBF16 || is_fp8(stored));
}

ProductBlock::ProductBlock(const Kernels& kernels, const Product& product, const Range& range,
                           Scratch& memory)
    : kernels_(kernels),
      product_(product),
      w_(*product.weight),
      range_(range),
      pairs_(use_pairs(kernels, product)),
      tiles_(ceil_div(range.rows, kernels.tile_rows)) {
  const std::int64_t depth = units(ceil_div(w_.depth / kGroup, range.depth_blocks) * kGroup);
  const std::int64_t columns = (range.panel1 - range.panel0) * w_.panel;
  input_ = memory.floats(Scratch::kInput, range.rows * depth);
  panel_values_ = memory.floats(Scratch::kPanel, depth * w_.panel);
  sums_ = range.depth_blocks > 1 ? memory.floats(Scratch::kSums, range.rows * columns) : nullptr;
}

void ProductBlock::pack() {
  const auto pack_row = pairs_ ? kernels_.pack_row_pairs : kernels_.pack_row;
  const auto size = static_cast<std::int64_t>(size_of(product_.x_dtype));
  const auto elements = static_cast<std::size_t>(std::min(k1_, product_.in) - k0_);
  const std::int64_t depth = units(k1_ - k0_);
  for (std::int64_t t = 0; t < tiles_; ++t) {
    const std::int64_t begin = tile_begin(t);
    const std::int64_t end = tile_begin(t + 1);
    for (std::int64_t r = begin; r < end; ++r) {
      const std::int64_t offset = product_.x_offsets[range_.row0 + r] + k0_;
      pack_row(product_.x_dtype, product_.x + offset * size, elements,
               input_ + begin * depth + (r - begin) * kGroup, (end - begin) * kGroup);
    }
  }
}

void ProductBlock::decode_pairs(std::int64_t panel) {
  const std::int64_t k = k1_ - k0_;
  kernels_.decode_panel_pairs(w_.stored, w_.panel_codes(panel, k0_), static_cast<std::size_t>(k),
                              panel_values_);
  std::fill(panel_values_ + k / 2 * w_.panel, panel_values_ + units(k) * w_.panel, 0.0f);
}

void ProductBlock::sweep(std::int64_t panel, const float* b, bool last) {
  const auto gemm = pairs_ ? kernels_.gemm_pairs : kernels_.gemm_tile;
  const std::int64_t depth = units(k1_ - k0_);
  const std::int64_t columns = std::min(w_.panel, w_.out - panel * w_.panel);
  alignas(64) float tile_sums[kMaxTileRows * kMaxPanel];
  for (std::int64_t t = 0; t < tiles_; ++t) {
    const std::int64_t begin = tile_begin(t);
    const int rows = static_cast<int>(tile_begin(t + 1) - begin);
    float* c = tile_sums;
    if (sums_ != nullptr) c = sums_ + ((panel - range_.panel0) * range_.rows + begin) * w_.panel;
    gemm({.a = input_ + begin * depth,
          .lda = kGroup,
          .outer = 1,
          .outer_step = 0,
          .inner = depth / kGroup,
          .inner_step = rows * kGroup,
          .length = kGroup,
          .b = b,
          .ldb = w_.panel,
          .c = c,
          .ldc = w_.panel,
          .rows = rows,
          .columns = static_cast<int>(ceil_div(columns, 16) * 16),
          .accumulate = k0_ > 0});
    if (last) finish(panel, begin, c, rows);
  }
}

void ProductBlock::finish(std::int64_t panel, std::int64_t begin, const float* sums, int rows) {
  const auto bytes = [](DType dtype) { return static_cast<std::int64_t>(size_of(dtype)); };
  const std::int64_t row = range_.row0 + begin;
  const std::int64_t column = panel * w_.panel;
  FinishTile f = product_.finish;
  f.c = sums;
  f.ldc = w_.panel;
  f.rows = rows;
  f.columns = static_cast<int>(std::min(w_.panel, w_.out - column));
  if (f.row_scale != nullptr) f.row_scale += row * f.row_scale_step;
  if (!w_.column_scale.empty()) f.column_scale = w_.column_scale.data() + column;
  if (!w_.bias.empty()) f.bias = w_.bias.data() + column;
  f.dst = static_cast<char*>(f.dst) + column * bytes(f.dst_dtype);
  f.dst_offsets += row;
  if (f.residual != nullptr) {
    f.residual = static_cast<const char*>(f.residual) + column * bytes(f.residual_dtype);
    f.residual_offsets += row;
  }
  kernels_.finish_tile(f);
}

}  // namespace

void CpuBackend::run_product(const Product& p) {
  if (p.rows == 0) return;
  const PackedCpuWeight& w = *p.weight;
  const std::int64_t threads = pool_.threads();
  struct {
    std::int64_t row_blocks, panel_groups, depth_blocks;
  } plan{};
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
  pool_.parallel_for(plan.row_blocks * plan.panel_groups, [&](std::int64_t task, int worker) {
    const std::int64_t block = task / plan.panel_groups;
    const std::int64_t group = task % plan.panel_groups;
    const std::int64_t row0 = p.rows * block / plan.row_blocks;
    const ProductBlock::Range range{.row0 = row0,
                                    .rows = p.rows * (block + 1) / plan.row_blocks - row0,
                                    .panel0 = w.panels * group / plan.panel_groups,
                                    .panel1 = w.panels * (group + 1) / plan.panel_groups,
                                    .depth_blocks = plan.depth_blocks};
    ProductBlock(kernels_, p, range, scratch(worker))
        .run([&](std::int64_t panel, std::int64_t k0, std::int64_t k1, float* dst) {
          decode(w, panel, k0, k1, dst);
        });
  });
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
    p.finish.row_scale_step = a.x.scale.rank == 0 ? 0 : 1;
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
