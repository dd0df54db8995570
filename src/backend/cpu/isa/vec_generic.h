// Sixteen FP32 lanes on plain SSE4.1 as four registers, and the meaning of the vector functions.
// Included inside an anonymous namespace by one instruction-set file only.
//
// Every set works on sixteen lanes, however wide its registers, so that reductions add the same
// numbers in the same order and results agree between sets. (Here fma() rounds twice, so this set
// alone may differ from the others in the last bits.)
//   load_some/store_some  the first n < 16 lanes; the others read as zero / stay untouched
//   max_or_second(a, b)   a > b ? a : b, so b when one of them is NaN (the rule of the hardware)
//   power_of_two(n)       2^n for integral n in [-126, 127]
//   sum_lanes             halves the vector (lane i + lane i+8, ...) until one lane is left
struct V {
  __m128 q[4];
};
struct HalfWords {
  std::uint16_t w[16];
};

inline constexpr int kTileRows = 3;
inline constexpr int kPanelVectors = 1;
inline constexpr int kPanel = 16 * kPanelVectors;

template <typename F>
inline V each(V x, F f) {
  return {{f(x.q[0]), f(x.q[1]), f(x.q[2]), f(x.q[3])}};
}
template <typename F>
inline V each(V x, V y, F f) {
  return {{f(x.q[0], y.q[0]), f(x.q[1], y.q[1]), f(x.q[2], y.q[2]), f(x.q[3], y.q[3])}};
}

inline V splat(float x) {
  const __m128 v = _mm_set1_ps(x);
  return {{v, v, v, v}};
}
inline V zero() { return splat(0.0f); }
inline V load(const float* p) {
  return {{_mm_loadu_ps(p), _mm_loadu_ps(p + 4), _mm_loadu_ps(p + 8), _mm_loadu_ps(p + 12)}};
}
inline void store(float* p, V x) {
  for (int i = 0; i < 4; ++i) _mm_storeu_ps(p + 4 * i, x.q[i]);
}
inline V load_some(const float* p, std::size_t n) {
  float lanes[16] = {};
  for (std::size_t i = 0; i < n; ++i) lanes[i] = p[i];
  return load(lanes);
}
inline void store_some(float* p, V x, std::size_t n) {
  float lanes[16];
  store(lanes, x);
  for (std::size_t i = 0; i < n; ++i) p[i] = lanes[i];
}
inline V add(V x, V y) {
  return each(x, y, [](__m128 a, __m128 b) { return _mm_add_ps(a, b); });
}
inline V sub(V x, V y) {
  return each(x, y, [](__m128 a, __m128 b) { return _mm_sub_ps(a, b); });
}
inline V mul(V x, V y) {
  return each(x, y, [](__m128 a, __m128 b) { return _mm_mul_ps(a, b); });
}
inline V div(V x, V y) {
  return each(x, y, [](__m128 a, __m128 b) { return _mm_div_ps(a, b); });
}
inline V fma(V x, V y, V z) { return add(mul(x, y), z); }
inline V max_or_second(V x, V y) {
  return each(x, y, [](__m128 a, __m128 b) { return _mm_max_ps(a, b); });
}
inline V min_or_second(V x, V y) {
  return each(x, y, [](__m128 a, __m128 b) { return _mm_min_ps(a, b); });
}
inline V absolute(V x) {
  const __m128 mask = _mm_castsi128_ps(_mm_set1_epi32(0x7FFFFFFF));
  return each(x, [mask](__m128 a) { return _mm_and_ps(a, mask); });
}
inline V round_even(V x) {
  return each(
      x, [](__m128 a) { return _mm_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); });
}
inline V power_of_two(V n) {
  return each(n, [](__m128 a) {
    const __m128i e = _mm_add_epi32(_mm_cvtps_epi32(a), _mm_set1_epi32(127));
    return _mm_castsi128_ps(_mm_slli_epi32(e, 23));
  });
}
inline V select_less(V x, V y, V yes, V no) {
  V r;
  for (int i = 0; i < 4; ++i) {
    r.q[i] = _mm_blendv_ps(no.q[i], yes.q[i], _mm_cmplt_ps(x.q[i], y.q[i]));
  }
  return r;
}
inline float sum_lanes(V x) {
  __m128 q = _mm_add_ps(_mm_add_ps(x.q[0], x.q[2]), _mm_add_ps(x.q[1], x.q[3]));
  q = _mm_add_ps(q, _mm_movehl_ps(q, q));
  return _mm_cvtss_f32(_mm_add_ss(q, _mm_shuffle_ps(q, q, 1)));
}
inline float max_lanes(V x) {
  __m128 q = _mm_max_ps(_mm_max_ps(x.q[0], x.q[2]), _mm_max_ps(x.q[1], x.q[3]));
  q = _mm_max_ps(q, _mm_movehl_ps(q, q));
  return _mm_cvtss_f32(_mm_max_ss(q, _mm_shuffle_ps(q, q, 1)));
}

// ---- 16-bit and 8-bit formats ----
inline HalfWords load_words(const void* p) {
  HalfWords r;
  __builtin_memcpy(r.w, p, sizeof r.w);
  return r;
}
inline void store_words(void* p, HalfWords x) { __builtin_memcpy(p, x.w, sizeof x.w); }
inline __m128i four_words(const std::uint16_t* p) {
  return _mm_cvtepu16_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
}
inline V from_bf16(HalfWords x) {
  V r;
  for (int i = 0; i < 4; ++i) {
    r.q[i] = _mm_castsi128_ps(_mm_slli_epi32(four_words(x.w + 4 * i), 16));
  }
  return r;
}
// FP16 in FP32 position has an exponent 112 too low. Subnormals are read as integers instead, so
// that no subnormal FP32 operand (slow) occurs.
inline __m128 from_f16_bits(__m128i h) {
  const __m128i size = _mm_and_si128(h, _mm_set1_epi32(0x7FFF));
  const __m128i sign = _mm_slli_epi32(_mm_and_si128(h, _mm_set1_epi32(0x8000)), 16);
  const __m128i normal = _mm_add_epi32(_mm_slli_epi32(size, 13), _mm_set1_epi32(112 << 23));
  const __m128 small = _mm_mul_ps(_mm_cvtepi32_ps(size), _mm_set1_ps(0x1p-24f));
  const __m128i special = _mm_or_si128(normal, _mm_set1_epi32(0x7F800000));
  __m128 r = _mm_blendv_ps(_mm_castsi128_ps(normal), small,
                           _mm_castsi128_ps(_mm_cmplt_epi32(size, _mm_set1_epi32(0x400))));
  r = _mm_blendv_ps(r, _mm_castsi128_ps(special),
                    _mm_castsi128_ps(_mm_cmpgt_epi32(size, _mm_set1_epi32(0x7BFF))));
  return _mm_or_ps(r, _mm_castsi128_ps(sign));
}
inline V from_f16(HalfWords x) {
  V r;
  for (int i = 0; i < 4; ++i) r.q[i] = from_f16_bits(four_words(x.w + 4 * i));
  return r;
}
inline __m128i to_f16_bits(__m128 x) {
  const __m128i bits = _mm_castps_si128(x);
  const __m128i sign = _mm_and_si128(_mm_srli_epi32(bits, 16), _mm_set1_epi32(0x8000));
  const __m128i size = _mm_and_si128(bits, _mm_set1_epi32(0x7FFFFFFF));
  const __m128i odd = _mm_and_si128(_mm_srli_epi32(size, 13), _mm_set1_epi32(1));
  __m128i r = _mm_add_epi32(size, _mm_add_epi32(odd, _mm_set1_epi32(0xFFF)));
  r = _mm_sub_epi32(_mm_srli_epi32(r, 13), _mm_set1_epi32(112 << 10));
  r = _mm_min_epi32(r, _mm_set1_epi32(0x7C00));
  const __m128 magic = _mm_set1_ps(0.5f);  // its unit in the last place is 2^-24
  const __m128i small = _mm_sub_epi32(_mm_castps_si128(_mm_add_ps(_mm_castsi128_ps(size), magic)),
                                      _mm_castps_si128(magic));
  r = _mm_blendv_epi8(r, small, _mm_cmplt_epi32(size, _mm_set1_epi32(113 << 23)));
  const __m128i payload = _mm_or_si128(
      _mm_and_si128(_mm_srli_epi32(size, 13), _mm_set1_epi32(0x3FF)), _mm_set1_epi32(0x7E00));
  r = _mm_blendv_epi8(r, payload, _mm_cmpgt_epi32(size, _mm_set1_epi32(0x7F800000)));
  return _mm_or_si128(r, sign);
}
inline __m128i to_bf16_bits(__m128 x) {
  const __m128i bits = _mm_castps_si128(x);
  const __m128i high = _mm_srli_epi32(bits, 16);
  const __m128i odd = _mm_and_si128(high, _mm_set1_epi32(1));
  __m128i r = _mm_add_epi32(bits, _mm_add_epi32(odd, _mm_set1_epi32(0x7FFF)));
  r = _mm_srli_epi32(r, 16);
  const __m128i nan = _mm_castps_si128(_mm_cmpunord_ps(x, x));
  return _mm_blendv_epi8(r, _mm_or_si128(high, _mm_set1_epi32(0x40)), nan);
}
inline HalfWords pack_words(__m128i a, __m128i b, __m128i c, __m128i d) {
  HalfWords r;
  auto* out = reinterpret_cast<__m128i*>(r.w);
  _mm_storeu_si128(out, _mm_packus_epi32(a, b));
  _mm_storeu_si128(out + 1, _mm_packus_epi32(c, d));
  return r;
}
inline HalfWords to_f16(V x) {
  return pack_words(to_f16_bits(x.q[0]), to_f16_bits(x.q[1]), to_f16_bits(x.q[2]),
                    to_f16_bits(x.q[3]));
}
inline HalfWords to_bf16(V x) {
  return pack_words(to_bf16_bits(x.q[0]), to_bf16_bits(x.q[1]), to_bf16_bits(x.q[2]),
                    to_bf16_bits(x.q[3]));
}
// E4M3 shifted into the FP16 layout has its exponent 8 too low; the NaN code needs all ones there.
inline V from_e4m3(const std::uint8_t* p) {
  HalfWords half;
  for (int i = 0; i < 16; ++i) {
    const unsigned code = p[i];
    const unsigned size = (code & 0x7F) == 0x7F ? 0x7FFFu : (code & 0x7F) << 7;
    half.w[i] = static_cast<std::uint16_t>(((code & 0x80) << 8) | size);
  }
  return mul(from_f16(half), splat(256.0f));
}
inline V from_e5m2(const std::uint8_t* p) {
  HalfWords half;
  for (int i = 0; i < 16; ++i) half.w[i] = static_cast<std::uint16_t>(p[i] << 8);
  return from_f16(half);
}
inline __m128i to_e4m3_bits(__m128 x) {
  const __m128i bits = _mm_castps_si128(x);
  const __m128i sign = _mm_and_si128(_mm_srli_epi32(bits, 24), _mm_set1_epi32(0x80));
  const __m128i size = _mm_and_si128(bits, _mm_set1_epi32(0x7FFFFFFF));
  const __m128i odd = _mm_and_si128(_mm_srli_epi32(size, 20), _mm_set1_epi32(1));
  __m128i r = _mm_add_epi32(size, _mm_add_epi32(odd, _mm_set1_epi32(0x7FFFF)));
  r = _mm_sub_epi32(_mm_srli_epi32(r, 20), _mm_set1_epi32(120 << 3));
  r = _mm_min_epi32(r, _mm_set1_epi32(0x7E));
  const __m128 magic = _mm_set1_ps(16384.0f);  // its unit in the last place is 2^-9
  const __m128i small = _mm_sub_epi32(_mm_castps_si128(_mm_add_ps(_mm_castsi128_ps(size), magic)),
                                      _mm_castps_si128(magic));
  r = _mm_blendv_epi8(r, small, _mm_cmplt_epi32(size, _mm_set1_epi32(121 << 23)));
  r = _mm_blendv_epi8(r, _mm_set1_epi32(0x7F), _mm_cmpgt_epi32(size, _mm_set1_epi32(0x7F800000)));
  return _mm_or_si128(r, sign);
}
inline void to_e4m3(V x, std::uint8_t* p) {
  const __m128i low = _mm_packus_epi32(to_e4m3_bits(x.q[0]), to_e4m3_bits(x.q[1]));
  const __m128i high = _mm_packus_epi32(to_e4m3_bits(x.q[2]), to_e4m3_bits(x.q[3]));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm_packus_epi16(low, high));
}

// dst[j][i] = src[i][j] for 16 x 16.
inline void transpose(const float* src, std::ptrdiff_t src_step, float* dst,
                      std::ptrdiff_t dst_step) {
  for (int i = 0; i < 16; ++i) {
    for (int j = 0; j < 16; ++j) dst[j * dst_step + i] = src[i * src_step + j];
  }
}
