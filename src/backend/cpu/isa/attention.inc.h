// One step of attention over a block of keys, with the running maximum and sum of the online
// softmax (arXiv 1805.02867, 2205.14135). Included inside an anonymous namespace after gemm.inc.h.

inline constexpr float kNone = -__builtin_inff();

// Scores of one row, scaled, biased and masked in place; returns their maximum.
struct ScoreRow {
  float* scores;
  const float* bias;  // null: none
  std::ptrdiff_t visible, vectors;
  float scale;
};

inline float prepare_scores(const ScoreRow& row) {
  const V scale = splat(row.scale);
  V top = splat(kNone);
  for (std::ptrdiff_t i = 0; i < 16 * row.vectors; i += 16) {
    const std::ptrdiff_t left = row.visible - i;
    V s = mul(load(row.scores + i), scale);
    if (row.bias != nullptr && left > 0) {
      s = add(s, left >= 16 ? load(row.bias + i)
                            : load_some(row.bias + i, static_cast<std::size_t>(left)));
    }
    if (left < 16) {
      float lanes[16];
      store(lanes, s);
      for (std::ptrdiff_t j = left < 0 ? 0 : left; j < 16; ++j) lanes[j] = kNone;
      s = load(lanes);
    }
    store(row.scores + i, s);
    top = max_or_second(top, s);
  }
  return max_lanes(top);
}

inline void scale_row(float* x, float factor, std::ptrdiff_t n) {
  const V f = splat(factor);
  for (std::ptrdiff_t i = 0; i < n; i += 16) store(x + i, mul(load(x + i), f));
}

// The maxima of a tile's rows after this block, and the factors by which earlier results shrink.
// A row that has seen no key yet (all masked) is shifted by 0 instead of -inf.
struct TileMaxima {
  alignas(64) float block[16];
  alignas(64) float shift[16];
  alignas(64) float shrink[16];
};

inline void update_maxima(const AttentionStep& s, std::ptrdiff_t row, int rows, TileMaxima& m) {
  float* running = s.maximum + row;
  const auto count = static_cast<std::size_t>(rows);
  const V none = splat(kNone);
  V before = none;
  if (!s.first) before = count == 16 ? load(running) : load_some(running, count);
  const V now = max_or_second(before, load(m.block));
  count == 16 ? store(running, now) : store_some(running, now, count);
  const V shift = select_less(none, now, now, zero());
  store(m.shift, shift);
  store(m.shrink, exponential(sub(before, shift)));
}

// Rows [row, row + rows) of the step: scores, softmax, product with the values.
void attention_tile(const AttentionStep& s, std::ptrdiff_t row, int rows) {
  alignas(64) float scores[kMaxTileRows * kKeyBlock];
  alignas(64) float weights[kMaxTileRows * kKeyBlock];
  const std::ptrdiff_t vectors = (s.valid + 15) / 16;
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
  for (std::ptrdiff_t p = 0; p < s.valid; p += kPanel) {
    product.b = s.keys + p * s.depth;
    product.c = scores + p;
    gemm_tile(product);
  }

  TileMaxima m;
  for (int r = 0; r < 16; ++r) m.block[r] = kNone;
  for (int r = 0; r < rows; ++r) {
    const std::ptrdiff_t limit = s.causal_limit + row + r + 1;
    m.block[r] =
        prepare_scores({.scores = scores + r * kKeyBlock,
                        .bias = s.bias == nullptr ? nullptr : s.bias + (row + r) * s.bias_step,
                        .visible = limit < s.valid ? limit : s.valid,
                        .vectors = vectors,
                        .scale = s.scale});
  }
  update_maxima(s, row, rows, m);
  for (int r = 0; r < rows; ++r) {
    const V shift = splat(m.shift[r]);
    float* sum = s.sum + (row + r) * 16;
    V total = s.first ? zero() : mul(load(sum), splat(m.shrink[r]));
    for (std::ptrdiff_t i = 0; i < vectors; ++i) {
      const V p = exponential(sub(load(scores + r * kKeyBlock + 16 * i), shift));
      store(weights + (i * rows + r) * kGroup, p);
      total = add(total, p);
    }
    store(sum, total);
    if (!s.first) scale_row(s.output + (row + r) * s.head, m.shrink[r], s.head);
  }

  product.a = weights;
  product.inner = vectors;
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

// output /= sum, after the last step.
void attention_finish(const AttentionStep& s) {
  for (std::ptrdiff_t row = 0; row < s.rows; ++row) {
    const float sum = sum_lanes(load(s.sum + row * 16));
    // A row without any visible key has sum 0 and stays 0.
    scale_row(s.output + row * s.head, sum == 0.0f ? 0.0f : 1.0f / sum, s.head);
  }
}
