// One step of attention over a block of keys, with the running maximum and sum of the online
// softmax (arXiv 1805.02867, 2205.14135). Included inside an anonymous namespace after gemm.inc.h.

// Softmax weights of one row against the block, written grouped as operand A of the product with
// the values. Returns the factor by which earlier results of this row shrink.
struct RowBlock {
  const float* scores;  // [kKeyBlock]
  const float* bias;    // null: none
  std::ptrdiff_t visible;
  float scale;
  float *maximum, *sum;
  float* weights;
  std::ptrdiff_t step;
  bool first;
};

inline float softmax_row(const RowBlock& b) {
  constexpr int kVectors = static_cast<int>(kKeyBlock / 16);
  const float none = -__builtin_inff();
  V s[kVectors];
  V top = splat(none);
#pragma GCC unroll 4
  for (int i = 0; i < kVectors; ++i) {
    const std::ptrdiff_t left = b.visible - 16 * i;
    s[i] = mul(load(b.scores + 16 * i), splat(b.scale));
    if (b.bias != nullptr && left > 0) {
      s[i] = add(s[i], left >= 16 ? load(b.bias + 16 * i)
                                  : load_some(b.bias + 16 * i, static_cast<std::size_t>(left)));
    }
    if (left < 16) {
      float lanes[16];
      store(lanes, s[i]);
      for (std::ptrdiff_t j = left < 0 ? 0 : left; j < 16; ++j) lanes[j] = none;
      s[i] = load(lanes);
    }
    top = max_or_second(top, s[i]);
  }
  const float before = b.first ? none : *b.maximum;
  const float block_top = max_lanes(top);
  const float now = block_top > before ? block_top : before;
  // A row that has seen no key yet (all masked) keeps zero weights instead of inf - inf.
  const float shift = now == none ? 0.0f : now;
  V total = zero();
#pragma GCC unroll 4
  for (int i = 0; i < kVectors; ++i) {
    const V p = exponential(sub(s[i], splat(shift)));
    store(b.weights + i * b.step, p);
    total = add(total, p);
  }
  float lanes[16];
  store(lanes, exponential(splat(before - shift)));
  const float shrink = b.first ? 0.0f : lanes[0];
  *b.sum = (b.first ? 0.0f : *b.sum * shrink) + sum_lanes(total);
  *b.maximum = now;
  return shrink;
}

inline void scale_row(float* x, float factor, std::ptrdiff_t n) {
  const V f = splat(factor);
  for (std::ptrdiff_t i = 0; i < n; i += 16) store(x + i, mul(load(x + i), f));
}

// Rows [row, row + rows) of the step: scores, softmax, product with the values.
void attention_tile(const AttentionStep& s, std::ptrdiff_t row, int rows) {
  alignas(64) float scores[kMaxTileRows * kKeyBlock];
  alignas(64) float weights[kMaxTileRows * kKeyBlock];
  GemmTile product{};
  product.a = s.q + row * s.depth;
  product.lda = product.length = kGroup;
  product.outer = 1;
  product.inner = s.depth / kGroup;
  product.inner_step = rows * kGroup;
  product.ldb = kPanel;
  product.ldc = kKeyBlock;
  product.rows = rows;
  product.columns = kPanel;
  for (std::ptrdiff_t p = 0; p < kKeyBlock; p += kPanel) {
    product.b = s.keys + p * s.depth;
    product.c = scores + p;
    gemm_tile(product);
  }
  for (int r = 0; r < rows; ++r) {
    const std::ptrdiff_t at = row + r;
    const std::ptrdiff_t limit = s.causal_limit + at + 1;
    const std::ptrdiff_t visible = limit < s.valid ? limit : s.valid;
    const float shrink =
        softmax_row({.scores = scores + r * kKeyBlock,
                     .bias = s.bias == nullptr ? nullptr : s.bias + at * s.bias_step,
                     .visible = visible,
                     .scale = s.scale,
                     .maximum = s.maximum + at,
                     .sum = s.sum + at,
                     .weights = weights + r * kGroup,
                     .step = rows * kGroup,
                     .first = s.first});
    if (!s.first) scale_row(s.output + at * s.head, shrink, s.head);
  }
  product.a = weights;
  product.inner = kKeyBlock / kGroup;
  product.ldb = s.head;
  product.ldc = s.head;
  product.accumulate = !s.first;
  for (std::ptrdiff_t h = 0; h < s.head; h += kPanel) {
    product.b = s.values + h;
    product.c = s.output + row * s.head + h;
    gemm_tile(product);
  }
}

void attention_step(const AttentionStep& s) {
  for (std::ptrdiff_t row = 0; row < s.rows;) {
    const std::ptrdiff_t left = s.rows - row;
    const int rows = static_cast<int>(left < kTileRows ? left : kTileRows);
    attention_tile(s, row, rows);
    row += rows;
  }
}
