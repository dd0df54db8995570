// Sixteen FP32 lanes on AVX2, FMA and F16C as two registers. See vec_generic.h for the meaning of
// each function. Included inside an anonymous namespace by one instruction-set file only.
struct V {
  __m256 a, b;
};
struct HalfWords {
  __m128i a, b;
};

inline constexpr int kTileRows = 6;
inline constexpr int kPanelVectors = 1;
inline constexpr int kPanel = 16 * kPanelVectors;

inline __m256i lanes_below(std::size_t n, int first) {
  const __m256i index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n) - first), index);
}

inline V zero() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
inline V splat(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
inline V load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
inline V load_some(const float* p, std::size_t n) {
  return {_mm256_maskload_ps(p, lanes_below(n, 0)), _mm256_maskload_ps(p + 8, lanes_below(n, 8))};
}
inline void store(float* p, V x) {
  _mm256_storeu_ps(p, x.a);
  _mm256_storeu_ps(p + 8, x.b);
}
inline void store_some(float* p, V x, std::size_t n) {
  _mm256_maskstore_ps(p, lanes_below(n, 0), x.a);
  _mm256_maskstore_ps(p + 8, lanes_below(n, 8), x.b);
}
inline V add(V x, V y) { return {_mm256_add_ps(x.a, y.a), _mm256_add_ps(x.b, y.b)}; }
inline V sub(V x, V y) { return {_mm256_sub_ps(x.a, y.a), _mm256_sub_ps(x.b, y.b)}; }
inline V mul(V x, V y) { return {_mm256_mul_ps(x.a, y.a), _mm256_mul_ps(x.b, y.b)}; }
inline V div(V x, V y) { return {_mm256_div_ps(x.a, y.a), _mm256_div_ps(x.b, y.b)}; }
inline V fma(V x, V y, V z) {
  return {_mm256_fmadd_ps(x.a, y.a, z.a), _mm256_fmadd_ps(x.b, y.b, z.b)};
}
inline V max_or_second(V x, V y) { return {_mm256_max_ps(x.a, y.a), _mm256_max_ps(x.b, y.b)}; }
inline V min_or_second(V x, V y) { return {_mm256_min_ps(x.a, y.a), _mm256_min_ps(x.b, y.b)}; }
inline V absolute(V x) {
  const __m256 mask = _mm256_castsi256_ps(_mm256_set1_epi32(0x7FFFFFFF));
  return {_mm256_and_ps(x.a, mask), _mm256_and_ps(x.b, mask)};
}
inline V round_even(V x) {
  constexpr int kMode = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
  return {_mm256_round_ps(x.a, kMode), _mm256_round_ps(x.b, kMode)};
}
inline __m256 power_of_two_half(__m256 n) {
  const __m256i e = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
  return _mm256_castsi256_ps(_mm256_slli_epi32(e, 23));
}
inline V power_of_two(V n) { return {power_of_two_half(n.a), power_of_two_half(n.b)}; }
inline V select_less(V x, V y, V yes, V no) {
  return {_mm256_blendv_ps(no.a, yes.a, _mm256_cmp_ps(x.a, y.a, _CMP_LT_OQ)),
          _mm256_blendv_ps(no.b, yes.b, _mm256_cmp_ps(x.b, y.b, _CMP_LT_OQ))};
}
inline float sum_lanes(V x) {
  const __m256 half = _mm256_add_ps(x.a, x.b);
  __m128 q = _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
  q = _mm_add_ps(q, _mm_movehl_ps(q, q));
  return _mm_cvtss_f32(_mm_add_ss(q, _mm_shuffle_ps(q, q, 1)));
}
inline float max_lanes(V x) {
  const __m256 half = _mm256_max_ps(x.a, x.b);
  __m128 q = _mm_max_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
  q = _mm_max_ps(q, _mm_movehl_ps(q, q));
  return _mm_cvtss_f32(_mm_max_ss(q, _mm_shuffle_ps(q, q, 1)));
}

// ---- 16-bit and 8-bit formats ----
inline HalfWords load_words(const void* p) {
  const auto* q = static_cast<const __m128i*>(p);
  return {_mm_loadu_si128(q), _mm_loadu_si128(q + 1)};
}
inline void store_words(void* p, HalfWords x) {
  auto* q = static_cast<__m128i*>(p);
  _mm_storeu_si128(q, x.a);
  _mm_storeu_si128(q + 1, x.b);
}
inline __m256 from_bf16_half(__m128i x) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(x), 16));
}
inline V from_bf16(HalfWords x) { return {from_bf16_half(x.a), from_bf16_half(x.b)}; }
inline V from_f16(HalfWords x) { return {_mm256_cvtph_ps(x.a), _mm256_cvtph_ps(x.b)}; }
inline HalfWords to_f16(V x) {
  constexpr int kMode = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
  return {_mm256_cvtps_ph(x.a, kMode), _mm256_cvtps_ph(x.b, kMode)};
}
inline __m256i to_bf16_bits(__m256 x) {
  const __m256i bits = _mm256_castps_si256(x);
  const __m256i high = _mm256_srli_epi32(bits, 16);
  const __m256i odd = _mm256_and_si256(high, _mm256_set1_epi32(1));
  __m256i r = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7FFF)));
  r = _mm256_srli_epi32(r, 16);
  const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(x, x, _CMP_UNORD_Q));
  return _mm256_blendv_epi8(r, _mm256_or_si256(high, _mm256_set1_epi32(0x40)), nan);
}
inline HalfWords to_bf16(V x) {
  const __m256i packed =
      _mm256_permute4x64_epi64(_mm256_packus_epi32(to_bf16_bits(x.a), to_bf16_bits(x.b)), 0xD8);
  return {_mm256_castsi256_si128(packed), _mm256_extracti128_si256(packed, 1)};
}
inline V halves_to_f32(__m256i half) {
  return {_mm256_cvtph_ps(_mm256_castsi256_si128(half)),
          _mm256_cvtph_ps(_mm256_extracti128_si256(half, 1))};
}
// E4M3 shifted into the FP16 layout has its exponent 8 too low; the NaN code needs all ones there.
inline V from_e4m3(const std::uint8_t* p) {
  const __m256i wide = _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  const __m256i nan =
      _mm256_cmpeq_epi16(_mm256_and_si256(wide, _mm256_set1_epi16(0x7F)), _mm256_set1_epi16(0x7F));
  const __m256i half =
      _mm256_and_si256(_mm256_slli_epi16(wide, 7), _mm256_set1_epi16(static_cast<short>(0xBF80)));
  const __m256i fixed = _mm256_blendv_epi8(half, _mm256_set1_epi16(0x7FFF), nan);
  return mul(halves_to_f32(fixed), splat(256.0f));
}
inline V from_e5m2(const std::uint8_t* p) {
  const __m128i codes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return halves_to_f32(_mm256_slli_epi16(_mm256_cvtepu8_epi16(codes), 8));
}
inline __m256i to_e4m3_bits(__m256 x) {
  const __m256i bits = _mm256_castps_si256(x);
  const __m256i sign = _mm256_and_si256(_mm256_srli_epi32(bits, 24), _mm256_set1_epi32(0x80));
  const __m256i size = _mm256_and_si256(bits, _mm256_set1_epi32(0x7FFFFFFF));
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(size, 20), _mm256_set1_epi32(1));
  __m256i r = _mm256_add_epi32(size, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7FFFF)));
  r = _mm256_sub_epi32(_mm256_srli_epi32(r, 20), _mm256_set1_epi32(120 << 3));
  r = _mm256_min_epi32(r, _mm256_set1_epi32(0x7E));
  const __m256 magic = _mm256_set1_ps(16384.0f);  // its unit in the last place is 2^-9
  const __m256 shifted = _mm256_add_ps(_mm256_castsi256_ps(size), magic);
  const __m256i small = _mm256_sub_epi32(_mm256_castps_si256(shifted), _mm256_castps_si256(magic));
  const __m256i tiny = _mm256_cmpgt_epi32(_mm256_set1_epi32(121 << 23), size);
  r = _mm256_blendv_epi8(r, small, tiny);
  const __m256i nan = _mm256_cmpgt_epi32(size, _mm256_set1_epi32(0x7F800000));
  r = _mm256_blendv_epi8(r, _mm256_set1_epi32(0x7F), nan);
  return _mm256_or_si256(r, sign);
}
inline void to_e4m3(V x, std::uint8_t* p) {
  const __m256i words =
      _mm256_permute4x64_epi64(_mm256_packus_epi32(to_e4m3_bits(x.a), to_e4m3_bits(x.b)), 0xD8);
  const __m128i bytes =
      _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), bytes);
}

inline void transpose_8(const float* src, std::ptrdiff_t src_step, float* dst,
                        std::ptrdiff_t dst_step) {
  __m256 r[8];
  __m256 t[8];
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) r[i] = _mm256_loadu_ps(src + i * src_step);
#pragma GCC unroll 4
  for (int i = 0; i < 8; i += 2) {
    t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
    t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
  }
#pragma GCC unroll 2
  for (int i = 0; i < 8; i += 4) {
    r[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
    r[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xEE);
    r[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
    r[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xEE);
  }
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    _mm256_storeu_ps(dst + j * dst_step, _mm256_permute2f128_ps(r[j], r[4 + j], 0x20));
    _mm256_storeu_ps(dst + (j + 4) * dst_step, _mm256_permute2f128_ps(r[j], r[4 + j], 0x31));
  }
}
// dst[j][i] = src[i][j] for 16 x 16.
inline void transpose(const float* src, std::ptrdiff_t src_step, float* dst,
                      std::ptrdiff_t dst_step) {
  transpose_8(src, src_step, dst, dst_step);
  transpose_8(src + 8, src_step, dst + 8 * dst_step, dst_step);
  transpose_8(src + 8 * src_step, src_step, dst + 8, dst_step);
  transpose_8(src + 8 * src_step + 8, src_step, dst + 8 * dst_step + 8, dst_step);
}
