// Conversion, pointwise functions and norms over rows. Included inside an anonymous namespace after
// math.inc.h.

// ---- conversion ----

template <DType D>
inline V load_as(const void* p) {
  if constexpr (D == DType::kF32) return load(static_cast<const float*>(p));
  if constexpr (D == DType::kF16) return from_f16(load_words(p));
  if constexpr (D == DType::kBF16) return from_bf16(load_words(p));
  if constexpr (D == DType::kF8E4M3) return from_e4m3(static_cast<const std::uint8_t*>(p));
  if constexpr (D == DType::kF8E5M2) return from_e5m2(static_cast<const std::uint8_t*>(p));
  return zero();
}

template <DType D>
inline void store_as(void* p, V x) {
  if constexpr (D == DType::kF32) store(static_cast<float*>(p), x);
  if constexpr (D == DType::kF16) store_words(p, to_f16(x));
  if constexpr (D == DType::kBF16) store_words(p, to_bf16(x));
  if constexpr (D == DType::kF8E4M3) to_e4m3(x, static_cast<std::uint8_t*>(p));
}

template <DType D>
constexpr std::size_t kBytes = D == DType::kF32                          ? 4
                               : (D == DType::kF16 || D == DType::kBF16) ? 2
                                                                         : 1;

// The first n < 16 elements at p; the other lanes are zero.
template <DType D>
inline V load_some_as(const void* p, std::size_t n) {
  if constexpr (D == DType::kF32) return load_some(static_cast<const float*>(p), n);
  alignas(64) unsigned char codes[64] = {};
  __builtin_memcpy(codes, p, n * kBytes<D>);
  return load_as<D>(codes);
}

template <DType D>
inline void store_some_as(void* p, V x, std::size_t n) {
  if constexpr (D == DType::kF32) {
    store_some(static_cast<float*>(p), x, n);
  } else {
    alignas(64) unsigned char codes[64];
    store_as<D>(codes, x);
    __builtin_memcpy(p, codes, n * kBytes<D>);
  }
}

template <DType D>
void to_f32_loop(const void* src, float* dst, std::size_t n) {
  const auto* p = static_cast<const unsigned char*>(src);
  std::size_t i = 0;
  for (; i + 16 <= n; i += 16) store(dst + i, load_as<D>(p + i * kBytes<D>));
  if (i < n) store_some(dst + i, load_some_as<D>(p + i * kBytes<D>, n - i), n - i);
}

void to_f32(DType dtype, const void* src, float* dst, std::size_t n) {
  switch (dtype) {
    case DType::kF32:
      return to_f32_loop<DType::kF32>(src, dst, n);
    case DType::kF16:
      return to_f32_loop<DType::kF16>(src, dst, n);
    case DType::kBF16:
      return to_f32_loop<DType::kBF16>(src, dst, n);
    case DType::kF8E4M3:
      return to_f32_loop<DType::kF8E4M3>(src, dst, n);
    case DType::kF8E5M2:
      return to_f32_loop<DType::kF8E5M2>(src, dst, n);
    case DType::kI32:
    case DType::kU8:
      return;
  }
}

// Applies f to each vector of x and stores the result as D.
template <DType D, typename F>
inline void map(const float* x, void* dst, std::size_t n, F f) {
  auto* p = static_cast<unsigned char*>(dst);
  std::size_t i = 0;
  for (; i + 16 <= n; i += 16) store_as<D>(p + i * kBytes<D>, f(load(x + i)));
  if (i < n) store_some_as<D>(p + i * kBytes<D>, f(load_some(x + i, n - i)), n - i);
}
template <typename F>
inline void map2(const float* x, const float* y, float* dst, std::size_t n, F f) {
  std::size_t i = 0;
  for (; i + 16 <= n; i += 16) store(dst + i, f(load(x + i), load(y + i)));
  if (i < n) {
    store_some(dst + i, f(load_some(x + i, n - i), load_some(y + i, n - i)), n - i);
  }
}

void from_f32(DType dtype, const float* src, void* dst, std::size_t n) {
  const auto same = [](V v) { return v; };
  switch (dtype) {
    case DType::kF32:
      return map<DType::kF32>(src, dst, n, same);
    case DType::kF16:
      return map<DType::kF16>(src, dst, n, same);
    case DType::kBF16:
      return map<DType::kBF16>(src, dst, n, same);
    case DType::kF8E4M3:
      return map<DType::kF8E4M3>(src, dst, n, same);
    case DType::kF8E5M2:
    case DType::kI32:
    case DType::kU8:
      return;
  }
}

void quantize(const float* x, float scale, std::uint8_t* dst, std::size_t n) {
  const V s = splat(scale);
  map<DType::kF8E4M3>(x, dst, n, [s](V v) { return div(v, s); });
}

float largest_magnitude(const float* x, std::size_t n) {
  V m = zero();
  std::size_t i = 0;
  for (; i + 16 <= n; i += 16) m = max_or_second(absolute(load(x + i)), m);
  if (i < n) m = max_or_second(absolute(load_some(x + i, n - i)), m);
  return max_lanes(m);
}

// ---- pointwise ----

void activate(Act act, const float* x, float* dst, std::size_t n) {
  switch (act) {
    case Act::kNone:
      return map<DType::kF32>(x, dst, n, [](V v) { return v; });
    case Act::kSilu:
      return map<DType::kF32>(x, dst, n, [](V v) { return silu(v); });
    case Act::kGeluTanh:
      return map<DType::kF32>(x, dst, n, [](V v) { return gelu_tanh(v); });
    case Act::kGeluErf:
      return map<DType::kF32>(x, dst, n, [](V v) { return gelu_erf(v); });
    case Act::kQuickGelu:
      return map<DType::kF32>(x, dst, n, [](V v) { return quick_gelu(v); });
  }
}

void gated_gelu(const float* gate, const float* up, float* dst, std::size_t n) {
  map2(gate, up, dst, n, [](V g, V u) { return mul(gelu_tanh(g), u); });
}
void add_rows(const float* a, const float* b, float* dst, std::size_t n) {
  map2(a, b, dst, n, [](V x, V y) { return add(x, y); });
}
void scale_shift(const float* x, float scale, float shift, float* dst, std::size_t n) {
  const V s = splat(scale);
  const V t = splat(shift);
  map<DType::kF32>(x, dst, n, [s, t](V v) { return fma(v, s, t); });
}
void multiply_add(const float* a, const float* b, const float* c, float* dst, std::size_t n) {
  std::size_t i = 0;
  for (; i + 16 <= n; i += 16) store(dst + i, fma(load(a + i), load(b + i), load(c + i)));
  if (i < n) {
    const std::size_t m = n - i;
    store_some(dst + i, fma(load_some(a + i, m), load_some(b + i, m), load_some(c + i, m)), m);
  }
}
void combine(const float* const* x, const float* coefficients, float* dst, std::size_t n) {
  const V c0 = splat(coefficients[0]);
  const V c1 = splat(coefficients[1]);
  const V c2 = splat(coefficients[2]);
  if (x[1] == nullptr) {
    map<DType::kF32>(x[0], dst, n, [c0](V a) { return mul(c0, a); });
  } else if (x[2] == nullptr) {
    map2(x[0], x[1], dst, n, [c0, c1](V a, V b) { return fma(c1, b, mul(c0, a)); });
  } else {
    std::size_t i = 0;
    for (; i + 16 <= n; i += 16) {
      const V two = fma(c1, load(x[1] + i), mul(c0, load(x[0] + i)));
      store(dst + i, fma(c2, load(x[2] + i), two));
    }
    if (i == n) return;
    const std::size_t m = n - i;
    const V two = fma(c1, load_some(x[1] + i, m), mul(c0, load_some(x[0] + i, m)));
    store_some(dst + i, fma(c2, load_some(x[2] + i, m), two), m);
  }
}

// ---- norms ----

// Sum of f(x) over a row: four running vectors, then one fixed tree. Lanes beyond n add f(0), so f
// is called with the count of valid lanes.
template <typename F>
inline float sum_of(const float* x, std::size_t n, F f) {
  V s[4] = {zero(), zero(), zero(), zero()};
  std::size_t i = 0;
  for (; i + 64 <= n; i += 64) {
    for (std::size_t j = 0; j < 4; ++j) s[j] = f(s[j], load(x + i + 16 * j), std::size_t{16});
  }
  for (; i < n; i += 16) {
    const std::size_t left = n - i < 16 ? n - i : 16;
    s[0] = f(s[0], left == 16 ? load(x + i) : load_some(x + i, left), left);
  }
  return sum_lanes(add(add(s[0], s[1]), add(s[2], s[3])));
}

inline V keep_first(V v, std::size_t n) {
  if (n == 16) return v;
  float lanes[16];
  store(lanes, v);
  return load_some(lanes, n);
}

inline float squares(const float* x, std::size_t n, float mean) {
  const V m = splat(mean);
  return sum_of(x, n, [m](V s, V v, std::size_t count) {
    const V d = keep_first(sub(v, m), count);
    return fma(d, d, s);
  });
}

void layer_norm(const Kernels::NormRow& r) {
  const float count = static_cast<float>(r.n);
  const float mean = sum_of(r.x, r.n, [](V s, V v, std::size_t) { return add(s, v); }) / count;
  const float variance = squares(r.x, r.n, mean) / count;
  const V factor = splat(1.0f / __builtin_sqrtf(variance + r.eps));
  const V m = splat(mean);
  const V plus = splat(r.weight_plus);
  for (std::size_t i = 0; i < r.n; i += 16) {
    const std::size_t left = r.n - i < 16 ? r.n - i : 16;
    const auto at = [left](const float* p) { return left == 16 ? load(p) : load_some(p, left); };
    V y = mul(sub(at(r.x + i), m), factor);
    const V w = r.weight != nullptr ? add(at(r.weight + i), plus) : splat(1.0f);
    const V b = r.bias != nullptr ? at(r.bias + i) : zero();
    y = fma(y, w, b);
    left == 16 ? store(r.dst + i, y) : store_some(r.dst + i, y, left);
  }
}

void rms_norm(const Kernels::NormRow& r) {
  const float mean = squares(r.x, r.n, 0.0f) / static_cast<float>(r.n);
  const V factor = splat(1.0f / __builtin_sqrtf(mean + r.eps));
  const auto scaled = [factor](V v, V w) { return mul(mul(v, factor), w); };
  if (r.weight != nullptr) return map2(r.x, r.weight, r.dst, r.n, scaled);
  map<DType::kF32>(r.x, r.dst, r.n, [factor](V v) { return mul(v, factor); });
}

// Four partial sums over rows (row mod 4), so that additions of neighbouring rows do not wait for
// each other even when there is only one vector of channels.
void channel_sums(const float* x, std::size_t rows, std::size_t n, const float* mean, float* sums) {
  for (std::size_t c = 0; c < n; c += 16) {
    const std::size_t left = n - c < 16 ? n - c : 16;
    const auto at = [left](const float* p) { return left == 16 ? load(p) : load_some(p, left); };
    const V m = mean != nullptr ? at(mean + c) : zero();
    V s[4] = {zero(), zero(), zero(), zero()};
    const auto step = [&](V& sum, std::size_t row) {
      const V d = sub(at(x + row * n + c), m);
      sum = mean != nullptr ? fma(d, d, sum) : add(sum, d);
    };
    std::size_t r = 0;
    for (; r + 4 <= rows; r += 4) {
      for (std::size_t j = 0; j < 4; ++j) step(s[j], r + j);
    }
    for (std::size_t j = 0; r + j < rows; ++j) step(s[j], r + j);
    const V total = add(add(s[0], s[1]), add(s[2], s[3]));
    left == 16 ? store(sums + c, total) : store_some(sums + c, total, left);
  }
}

template <DType D, bool Silu>
void affine_loop(const Kernels::Affine& a) {
  auto* out = static_cast<unsigned char*>(a.dst);
  for (std::size_t r = 0; r < a.rows; ++r) {
    const float* x = a.x + r * a.n;
    unsigned char* dst = out + r * a.n * kBytes<D>;
    for (std::size_t c = 0; c < a.n; c += 16) {
      const std::size_t left = a.n - c < 16 ? a.n - c : 16;
      const auto at = [left](const float* p) { return left == 16 ? load(p) : load_some(p, left); };
      V y = fma(sub(at(x + c), at(a.mean + c)), at(a.factor + c), at(a.bias + c));
      if constexpr (Silu) y = silu(y);
      if (left == 16) {
        store_as<D>(dst + c * kBytes<D>, y);
      } else {
        store_some_as<D>(dst + c * kBytes<D>, y, left);
      }
    }
  }
}

void affine(const Kernels::Affine& a) {
  if (a.dst_dtype == DType::kF32) {
    return a.silu ? affine_loop<DType::kF32, true>(a) : affine_loop<DType::kF32, false>(a);
  }
  return a.silu ? affine_loop<DType::kBF16, true>(a) : affine_loop<DType::kBF16, false>(a);
}
