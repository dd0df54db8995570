// Squares of codes with rows and columns exchanged, 16 bytes wide: what packing a weight mostly
// does.
//
// x86-64 baseline (SSE2). Thread-safe. Errors: none.
#pragma once

#include <emmintrin.h>

#include <cstddef>

namespace octet::cpu {

struct Interleaved {
  __m128i low, high;
};

template <std::size_t kSize>
[[nodiscard]] inline Interleaved interleave(__m128i a, __m128i b) {
  if constexpr (kSize == 1) {
    return {_mm_unpacklo_epi8(a, b), _mm_unpackhi_epi8(a, b)};
  } else if constexpr (kSize == 2) {
    return {_mm_unpacklo_epi16(a, b), _mm_unpackhi_epi16(a, b)};
  } else {
    static_assert(kSize == 4);
    return {_mm_unpacklo_epi32(a, b), _mm_unpackhi_epi32(a, b)};
  }
}

/// Rows and columns of a tile.
template <std::size_t kSize>
inline constexpr std::size_t kTileSide = 16 / kSize;

/// dst[i][j] = src[j][i] for kTileSide^2 codes of kSize bytes; rows lie src_step and dst_step bytes
/// apart. Interleaving the first half of the rows with the second, once for each bit of a row's
/// number, is the exchange.
template <std::size_t kSize>
inline void transpose_tile(const unsigned char* src, std::size_t src_step, unsigned char* dst,
                           std::size_t dst_step) {
  constexpr std::size_t n = kTileSide<kSize>;
  __m128i rows[n], next[n];
  for (std::size_t r = 0; r < n; ++r) {
    rows[r] = _mm_loadu_si128(reinterpret_cast<const __m128i*>(src + r * src_step));
  }
  for (std::size_t bit = 1; bit < n; bit *= 2) {
    for (std::size_t k = 0; k < n / 2; ++k) {
      const Interleaved pair = interleave<kSize>(rows[k], rows[k + n / 2]);
      next[2 * k] = pair.low;
      next[2 * k + 1] = pair.high;
    }
    for (std::size_t k = 0; k < n; ++k) rows[k] = next[k];
  }
  for (std::size_t r = 0; r < n; ++r) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(dst + r * dst_step), rows[r]);
  }
}

}  // namespace octet::cpu
