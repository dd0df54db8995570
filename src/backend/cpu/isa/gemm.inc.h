// Matrix products: packing, the register tile and its epilogue. Included inside an anonymous
// namespace after rows.inc.h.
//
// Every output element is one chain of multiply-adds over k in rising order, starting from zero,
// on every set and in every tile shape: lanes run over columns, and k is never split into partial
// sums. That is what makes results independent of tile sizes, batch and threads.

template <DType D>
void pack_row_loop(const void* src, std::size_t n, float* dst, std::ptrdiff_t step) {
  const auto* p = static_cast<const unsigned char*>(src);
  std::size_t i = 0;
  for (; i + 16 <= n; i += 16, dst += step) store(dst, load_as<D>(p + i * kBytes<D>));
  if (i < n) store(dst, load_some_as<D>(p + i * kBytes<D>, n - i));
}

void pack_row(DType dtype, const void* src, std::size_t n, float* dst, std::ptrdiff_t step) {
  switch (dtype) {
    case DType::kF32:
      return pack_row_loop<DType::kF32>(src, n, dst, step);
    case DType::kF16:
      return pack_row_loop<DType::kF16>(src, n, dst, step);
    case DType::kBF16:
      return pack_row_loop<DType::kBF16>(src, n, dst, step);
    case DType::kF8E4M3:
      return pack_row_loop<DType::kF8E4M3>(src, n, dst, step);
    case DType::kF8E5M2:
      return pack_row_loop<DType::kF8E5M2>(src, n, dst, step);
    case DType::kI32:
    case DType::kU8:
      return;
  }
}

inline constexpr int kPanel = 16 * kPanelVectors;

// Sixteen keys by sixteen elements; what does not exist is zero.
inline void transpose_some(const float* src, std::ptrdiff_t step, std::ptrdiff_t keys,
                           std::ptrdiff_t n, float* dst) {
  if (keys >= 16 && n >= 16) return transpose(src, step, dst, kPanel);
  float block[256] = {};
  for (std::ptrdiff_t i = 0; i < keys && i < 16; ++i) {
    for (std::ptrdiff_t j = 0; j < n && j < 16; ++j) block[i * 16 + j] = src[i * step + j];
  }
  transpose(block, 16, dst, kPanel);
}

void pack_keys(const float* src, std::ptrdiff_t src_step, std::size_t keys, std::size_t n,
               std::size_t depth, float* dst) {
  const auto count = static_cast<std::ptrdiff_t>(keys);
  const auto width = static_cast<std::ptrdiff_t>(n);
  const auto padded = static_cast<std::ptrdiff_t>(depth);
  for (std::ptrdiff_t key = 0; key < kKeyBlock; key += 16) {
    float* column = dst + key / kPanel * kPanel * padded + key % kPanel;
    for (std::ptrdiff_t d = 0; d < padded; d += 16) {
      transpose_some(src + key * src_step + d, src_step, count - key, width - d,
                     column + d * kPanel);
    }
  }
}

template <DType D>
void decode_panel_loop(const void* codes, std::size_t rows, const float* scales, float* dst) {
  const auto* p = static_cast<const unsigned char*>(codes);
  if (scales == nullptr) {
    for (std::size_t i = 0; i < rows * kPanel; i += 16) {
      store(dst + i, load_as<D>(p + i * kBytes<D>));
    }
    return;
  }
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < kPanel; c += 16) {
      const std::size_t i = r * kPanel + c;
      store(dst + i, mul(load_as<D>(p + i * kBytes<D>), load(scales + c)));
    }
  }
}

void decode_panel(DType dtype, const void* codes, std::size_t rows, const float* scales,
                  float* dst) {
  switch (dtype) {
    case DType::kF32:
      return decode_panel_loop<DType::kF32>(codes, rows, scales, dst);
    case DType::kF16:
      return decode_panel_loop<DType::kF16>(codes, rows, scales, dst);
    case DType::kBF16:
      return decode_panel_loop<DType::kBF16>(codes, rows, scales, dst);
    case DType::kF8E4M3:
      return decode_panel_loop<DType::kF8E4M3>(codes, rows, scales, dst);
    case DType::kF8E5M2:
      return decode_panel_loop<DType::kF8E5M2>(codes, rows, scales, dst);
    case DType::kI32:
    case DType::kU8:
      return;
  }
}

// acc += one k: row r of A against NV vectors of B.
template <int MR, int NV>
[[gnu::always_inline]] inline void multiply_step(V (&acc)[MR][NV], const float* a,
                                                 std::ptrdiff_t lda, const float* b) {
  V bv[NV];
#pragma GCC unroll 2
  for (int j = 0; j < NV; ++j) bv[j] = load(b + 16 * j);
#pragma GCC unroll 16
  for (int r = 0; r < MR; ++r) {
    const V av = splat(a[r * lda]);
#pragma GCC unroll 2
    for (int j = 0; j < NV; ++j) acc[r][j] = fma(av, bv[j], acc[r][j]);
  }
}

// Packed: lda and length are kGroup, known to the compiler, so that rows need no registers.
template <int MR, int NV, bool Packed>
void tile_loop(const GemmTile& t) {
  V acc[MR][NV];
#pragma GCC unroll 16
  for (int r = 0; r < MR; ++r) {
#pragma GCC unroll 2
    for (int j = 0; j < NV; ++j) acc[r][j] = zero();
  }
  if (t.accumulate) {
#pragma GCC unroll 16
    for (int r = 0; r < MR; ++r) {
#pragma GCC unroll 2
      for (int j = 0; j < NV; ++j) acc[r][j] = load(t.c + r * t.ldc + 16 * j);
    }
  }
  const float* b = t.b;
  const std::ptrdiff_t ldb = t.ldb;
  const std::ptrdiff_t lda = Packed ? kGroup : t.lda;
  const std::ptrdiff_t length = Packed ? kGroup : t.length;
  for (std::ptrdiff_t o = 0; o < t.outer; ++o) {
    for (std::ptrdiff_t i = 0; i < t.inner; ++i) {
      const float* a = t.a + o * t.outer_step + i * t.inner_step;
#pragma GCC unroll 4
      for (std::ptrdiff_t k = 0; k < length; ++k, b += ldb) {
        multiply_step<MR, NV>(acc, a + k, lda, b);
      }
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < MR; ++r) {
#pragma GCC unroll 2
    for (int j = 0; j < NV; ++j) store(t.c + r * t.ldc + 16 * j, acc[r][j]);
  }
}

using TileLoop = void (*)(const GemmTile&);

template <int MR, int NV>
void tile_entry(const GemmTile& t) {
  if (t.lda == kGroup && t.length == kGroup) return tile_loop<MR, NV, true>(t);
  return tile_loop<MR, NV, false>(t);
}

template <int MR, int NV>
constexpr TileLoop entry() {
  if constexpr (MR <= kTileRows && NV <= kPanelVectors) return &tile_entry<MR, NV>;
  return nullptr;
}

void gemm_tile(const GemmTile& t) {
  static constexpr TileLoop kLoops[kMaxTileRows][2] = {
      {entry<1, 1>(), entry<1, 2>()},   {entry<2, 1>(), entry<2, 2>()},
      {entry<3, 1>(), entry<3, 2>()},   {entry<4, 1>(), entry<4, 2>()},
      {entry<5, 1>(), entry<5, 2>()},   {entry<6, 1>(), entry<6, 2>()},
      {entry<7, 1>(), entry<7, 2>()},   {entry<8, 1>(), entry<8, 2>()},
      {entry<9, 1>(), entry<9, 2>()},   {entry<10, 1>(), entry<10, 2>()},
      {entry<11, 1>(), entry<11, 2>()}, {entry<12, 1>(), entry<12, 2>()},
      {entry<13, 1>(), entry<13, 2>()}, {entry<14, 1>(), entry<14, 2>()}};
  kLoops[t.rows - 1][t.columns / 16 - 1](t);
}

// ---- epilogue ----

template <DType D>
inline V read(const void* base, std::int64_t index, std::size_t n) {
  const auto* p =
      static_cast<const unsigned char*>(base) + index * static_cast<std::int64_t>(kBytes<D>);
  return n == 16 ? load_as<D>(p) : load_some_as<D>(p, n);
}
template <DType D>
inline void write(void* base, std::int64_t index, V x, std::size_t n) {
  auto* p = static_cast<unsigned char*>(base) + index * static_cast<std::int64_t>(kBytes<D>);
  n == 16 ? store_as<D>(p, x) : store_some_as<D>(p, x, n);
}

// One vector of columns down the rows. What is absent becomes a neutral operand (x * 1 and x + -0
// are x), so that the loop has no branches on it.
template <Act A, DType D>
void finish_columns(const FinishTile& t, int c, std::size_t n) {
  const float one = 1.0f;
  const V scale = t.column_scale != nullptr ? load(t.column_scale + c) : splat(1.0f);
  const V bias = t.bias != nullptr ? load(t.bias + c) : splat(-0.0f);
  const float* row_scale = t.row_scale != nullptr ? t.row_scale : &one;
  const std::ptrdiff_t step = t.row_scale != nullptr ? t.row_scale_step : 0;
  for (int r = 0; r < t.rows; ++r) {
    V y = mul(load(t.c + r * t.ldc + c), splat(row_scale[r * step]));
    y = apply<A>(add(mul(y, scale), bias));
    if (t.residual != nullptr) {
      const std::int64_t at = t.residual_offsets[r] + c;
      y = add(y, t.residual_dtype == DType::kF32 ? read<DType::kF32>(t.residual, at, n)
                                                 : read<DType::kBF16>(t.residual, at, n));
    }
    write<D>(t.dst, t.dst_offsets[r] + c, y, n);
  }
}

template <Act A>
void finish_loop(const FinishTile& t) {
  for (int c = 0; c < t.columns; c += 16) {
    const auto n = static_cast<std::size_t>(t.columns - c < 16 ? t.columns - c : 16);
    if (t.dst_dtype == DType::kF32) {
      finish_columns<A, DType::kF32>(t, c, n);
    } else {
      finish_columns<A, DType::kBF16>(t, c, n);
    }
  }
}

void finish_tile(const FinishTile& t) {
  switch (t.act) {
    case Act::kNone:
      return finish_loop<Act::kNone>(t);
    case Act::kSilu:
      return finish_loop<Act::kSilu>(t);
    case Act::kGeluTanh:
      return finish_loop<Act::kGeluTanh>(t);
    case Act::kGeluErf:
      return finish_loop<Act::kGeluErf>(t);
    case Act::kQuickGelu:
      return finish_loop<Act::kQuickGelu>(t);
  }
}
