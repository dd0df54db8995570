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

void pack_keys(const float* src, std::ptrdiff_t src_step, std::size_t keys, std::size_t n,
               std::size_t depth, float* dst) {
  const std::size_t panel = kPanel;
  for (std::size_t first = 0; first < kKeyBlock; first += panel, dst += depth * panel) {
    for (std::size_t d = 0; d < depth; ++d) {
      float* row = dst + d * panel;
      for (std::size_t j = 0; j < panel; ++j) {
        const std::size_t key = first + j;
        const bool exists = key < keys && d < n;
        row[j] =
            exists
                ? src[static_cast<std::ptrdiff_t>(key) * src_step + static_cast<std::ptrdiff_t>(d)]
                : 0.0f;
      }
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

template <Act A>
void finish_loop(const FinishTile& t) {
  for (int r = 0; r < t.rows; ++r) {
    const V row_scale = splat(t.row_scale != nullptr ? t.row_scale[r * t.row_scale_step] : 1.0f);
    for (int c = 0; c < t.columns; c += 16) {
      const std::size_t n = static_cast<std::size_t>(t.columns - c < 16 ? t.columns - c : 16);
      V y = load(t.c + r * t.ldc + c);
      if (t.row_scale != nullptr) y = mul(y, row_scale);
      if (t.column_scale != nullptr) y = mul(y, load(t.column_scale + c));
      if (t.bias != nullptr) y = add(y, load(t.bias + c));
      y = apply<A>(y);
      if (t.residual != nullptr) {
        const std::int64_t at = t.residual_offsets[r] + c;
        y = add(y, t.residual_dtype == DType::kF32 ? read<DType::kF32>(t.residual, at, n)
                                                   : read<DType::kBF16>(t.residual, at, n));
      }
      const std::int64_t at = t.dst_offsets[r] + c;
      if (t.dst_dtype == DType::kF32) {
        write<DType::kF32>(t.dst, at, y, n);
      } else {
        write<DType::kBF16>(t.dst, at, y, n);
      }
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
