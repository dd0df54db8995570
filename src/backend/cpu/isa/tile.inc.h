// The register tile of all matrix products. Included inside an anonymous namespace after a
// vec_*.h and multiply(a, b, c) = a * b + c, by a file of its own: it is compiled without
// sanitizers, which would take minutes over the unrolled loops.
//
// Every output element is one chain of multiply-adds over k in rising order, starting from zero,
// on every set and in every tile shape: lanes run over columns, and k is never split into partial
// sums. That is what makes results independent of tile sizes, batch and threads.

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
    for (int j = 0; j < NV; ++j) acc[r][j] = multiply(av, bv[j], acc[r][j]);
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

void run_tile(const GemmTile& t) {
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
