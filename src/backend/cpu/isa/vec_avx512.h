// Sixteen FP32 lanes on AVX-512 (F, BW, VL, DQ). See vec_generic.h for the meaning of each
// function. Included inside an anonymous namespace by one instruction-set file only.
struct V {
  __m512 v;
};
struct HalfWords {  // sixteen 16-bit codes
  __m256i v;
};

inline constexpr int kTileRows = 14;
inline constexpr int kPanelVectors = 2;
inline constexpr int kPanel = 16 * kPanelVectors;

inline __mmask16 first_lanes(std::size_t n) { return static_cast<__mmask16>((1u << n) - 1u); }

inline V zero() { return {_mm512_setzero_ps()}; }
inline V splat(float x) { return {_mm512_set1_ps(x)}; }
inline V load(const float* p) { return {_mm512_loadu_ps(p)}; }
inline V load_some(const float* p, std::size_t n) {
  return {_mm512_maskz_loadu_ps(first_lanes(n), p)};
}
inline void store(float* p, V a) { _mm512_storeu_ps(p, a.v); }
inline void store_some(float* p, V a, std::size_t n) {
  _mm512_mask_storeu_ps(p, first_lanes(n), a.v);
}
inline V add(V a, V b) { return {_mm512_add_ps(a.v, b.v)}; }
inline V sub(V a, V b) { return {_mm512_sub_ps(a.v, b.v)}; }
inline V mul(V a, V b) { return {_mm512_mul_ps(a.v, b.v)}; }
inline V div(V a, V b) { return {_mm512_div_ps(a.v, b.v)}; }
inline V fma(V a, V b, V c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
inline V max_or_second(V a, V b) { return {_mm512_max_ps(a.v, b.v)}; }
inline V min_or_second(V a, V b) { return {_mm512_min_ps(a.v, b.v)}; }
inline V absolute(V a) { return {_mm512_abs_ps(a.v)}; }
inline V round_even(V a) {
  return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
inline V power_of_two(V n) {
  const __m512i e = _mm512_add_epi32(_mm512_cvtps_epi32(n.v), _mm512_set1_epi32(127));
  return {_mm512_castsi512_ps(_mm512_slli_epi32(e, 23))};
}
inline V select_less(V a, V b, V yes, V no) {
  return {_mm512_mask_blend_ps(_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ), no.v, yes.v)};
}

// 8 lanes as lane i + lane i+8, then the same halving on 8, 4, 2.
inline __m128 quarter(__m256 a) {
  return _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
}
inline float sum_lanes(V a) {
  const __m256 high = _mm512_extractf32x8_ps(a.v, 1);
  __m128 q = quarter(_mm256_add_ps(_mm512_castps512_ps256(a.v), high));
  q = _mm_add_ps(q, _mm_movehl_ps(q, q));
  return _mm_cvtss_f32(_mm_add_ss(q, _mm_shuffle_ps(q, q, 1)));
}
inline float max_lanes(V a) { return _mm512_reduce_max_ps(a.v); }

// ---- 16-bit and 8-bit formats ----
inline HalfWords load_words(const void* p) {
  return {_mm256_loadu_si256(static_cast<const __m256i*>(p))};
}
inline void store_words(void* p, HalfWords a) {
  _mm256_storeu_si256(static_cast<__m256i*>(p), a.v);
}
inline V from_bf16(HalfWords a) {
  return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(a.v), 16))};
}
// Lane i becomes the pair (low[i], high[i]).
inline void store_pairs(float* p, HalfWords low, HalfWords high) {
  const __m512i pairs = _mm512_or_si512(_mm512_cvtepu16_epi32(low.v),
                                        _mm512_slli_epi32(_mm512_cvtepu16_epi32(high.v), 16));
  _mm512_storeu_si512(p, pairs);
}
inline V from_f16(HalfWords a) { return {_mm512_cvtph_ps(a.v)}; }
inline HalfWords to_f16(V a) {
  return {_mm512_cvtps_ph(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
inline HalfWords to_bf16(V a) {
  const __m512i bits = _mm512_castps_si512(a.v);
  const __m512i high = _mm512_srli_epi32(bits, 16);
  const __m512i odd = _mm512_and_si512(high, _mm512_set1_epi32(1));
  __m512i r = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7FFF)));
  r = _mm512_srli_epi32(r, 16);
  const __mmask16 nan = _mm512_cmp_ps_mask(a.v, a.v, _CMP_UNORD_Q);
  r = _mm512_mask_or_epi32(r, nan, high, _mm512_set1_epi32(0x40));
  return {_mm512_cvtepi32_epi16(r)};
}
// E4M3 shifted into the FP16 layout has its exponent 8 too low; the NaN code needs all ones there.
inline V from_e4m3(const std::uint8_t* p) {
  const __m128i codes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  const __m256i wide = _mm256_cvtepi8_epi16(codes);
  const __mmask16 nan = _mm256_cmpeq_epi16_mask(_mm256_and_si256(wide, _mm256_set1_epi16(0x7F)),
                                                _mm256_set1_epi16(0x7F));
  __m256i half =
      _mm256_and_si256(_mm256_slli_epi16(wide, 7), _mm256_set1_epi16(static_cast<short>(0xBF80)));
  half = _mm256_mask_mov_epi16(half, nan, _mm256_set1_epi16(0x7FFF));
  return {_mm512_mul_ps(_mm512_cvtph_ps(half), _mm512_set1_ps(256.0f))};
}
inline V from_e5m2(const std::uint8_t* p) {
  const __m128i codes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return {_mm512_cvtph_ps(_mm256_slli_epi16(_mm256_cvtepu8_epi16(codes), 8))};
}
inline void to_e4m3(V a, std::uint8_t* p) {
  const __m512i bits = _mm512_castps_si512(a.v);
  const __m512i sign = _mm512_and_si512(_mm512_srli_epi32(bits, 24), _mm512_set1_epi32(0x80));
  const __m512i size = _mm512_and_si512(bits, _mm512_set1_epi32(0x7FFFFFFF));
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(size, 20), _mm512_set1_epi32(1));
  __m512i r = _mm512_add_epi32(size, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7FFFF)));
  r = _mm512_sub_epi32(_mm512_srli_epi32(r, 20), _mm512_set1_epi32(120 << 3));
  r = _mm512_min_epi32(r, _mm512_set1_epi32(0x7E));
  const __m512 magic = _mm512_set1_ps(16384.0f);  // its unit in the last place is 2^-9
  const __m512 shifted = _mm512_add_ps(_mm512_castsi512_ps(size), magic);
  const __m512i small = _mm512_sub_epi32(_mm512_castps_si512(shifted), _mm512_castps_si512(magic));
  const __mmask16 tiny = _mm512_cmplt_epi32_mask(size, _mm512_set1_epi32(121 << 23));
  r = _mm512_mask_mov_epi32(r, tiny, small);
  const __mmask16 nan = _mm512_cmpgt_epi32_mask(size, _mm512_set1_epi32(0x7F800000));
  r = _mm512_mask_mov_epi32(r, nan, _mm512_set1_epi32(0x7F));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(_mm512_or_si512(r, sign)));
}

// dst[j][i] = src[i][j] for 16 x 16: pairs, quadruples, then the four 128-bit parts.
inline void transpose(const float* src, std::ptrdiff_t src_step, float* dst,
                      std::ptrdiff_t dst_step) {
  __m512 r[16];
  __m512 t[16];
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i) r[i] = _mm512_loadu_ps(src + i * src_step);
#pragma GCC unroll 8
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 16; i += 4) {
    const __m512d a = _mm512_castps_pd(t[i]);
    const __m512d b = _mm512_castps_pd(t[i + 1]);
    const __m512d c = _mm512_castps_pd(t[i + 2]);
    const __m512d d = _mm512_castps_pd(t[i + 3]);
    r[i] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, c));
    r[i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, c));
    r[i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(b, d));
    r[i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(b, d));
  }
  // r[4g + j] holds rows 4g.. of columns j, j+4, j+8, j+12, one per 128-bit part.
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    const __m512 low01 = _mm512_shuffle_f32x4(r[j], r[4 + j], 0x88);
    const __m512 high01 = _mm512_shuffle_f32x4(r[j], r[4 + j], 0xDD);
    const __m512 low23 = _mm512_shuffle_f32x4(r[8 + j], r[12 + j], 0x88);
    const __m512 high23 = _mm512_shuffle_f32x4(r[8 + j], r[12 + j], 0xDD);
    _mm512_storeu_ps(dst + j * dst_step, _mm512_shuffle_f32x4(low01, low23, 0x88));
    _mm512_storeu_ps(dst + (j + 4) * dst_step, _mm512_shuffle_f32x4(high01, high23, 0x88));
    _mm512_storeu_ps(dst + (j + 8) * dst_step, _mm512_shuffle_f32x4(low01, low23, 0xDD));
    _mm512_storeu_ps(dst + (j + 12) * dst_step, _mm512_shuffle_f32x4(high01, high23, 0xDD));
  }
}
