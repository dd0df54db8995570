// Elementary functions on sixteen lanes, accurate to about 1e-7 relative. Included inside an
// anonymous namespace after a vec_*.h.

// e^x as 2^n e^r with |r| <= ln(2)/2 and the Taylor polynomial of degree 7 (remainder 6e-9).
// ln 2 is split so that n * high part is exact. Below -87.3: 0. Above 88.3: about 2.4e38. NaN
// stays.
inline V exponential(V x) {
  const V low = splat(-87.3f);
  const V y = max_or_second(low, min_or_second(splat(88.3f), x));
  const V n = round_even(mul(y, splat(1.44269504f)));
  V r = fma(n, splat(-0.693359375f), y);
  r = fma(n, splat(2.12194440e-4f), r);
  V p = splat(1.0f / 5040.0f);
  p = fma(p, r, splat(1.0f / 720.0f));
  p = fma(p, r, splat(1.0f / 120.0f));
  p = fma(p, r, splat(1.0f / 24.0f));
  p = fma(p, r, splat(1.0f / 6.0f));
  p = fma(p, r, splat(0.5f));
  p = fma(p, r, splat(1.0f));
  p = fma(p, r, splat(1.0f));
  return select_less(x, low, zero(), mul(p, power_of_two(n)));
}

// x / (1 + e^-z). For z below -87 the quotient is x times about 1e-38.
inline V times_sigmoid(V x, V z) { return div(x, add(splat(1.0f), exponential(sub(zero(), z)))); }

inline V silu(V x) { return times_sigmoid(x, x); }
inline V quick_gelu(V x) { return times_sigmoid(x, mul(x, splat(1.702f))); }

// x/2 (1 + tanh(u)) = x sigmoid(2u), u = sqrt(2/pi) (x + 0.044715 x^3).
inline V gelu_tanh(V x) {
  const V cubic = fma(mul(x, x), splat(0.044715f), splat(1.0f));
  return times_sigmoid(x, mul(mul(x, splat(1.59576912f)), cubic));
}

// erfc(z) for z >= 0 as e^(-z^2) t P(t), t = 1/(1 + 0.4 z); P interpolates at Chebyshev nodes
// (relative error 2e-8 before rounding).
inline V erfc_positive(V z) {
  const V t = div(splat(1.0f), fma(z, splat(0.4f), splat(1.0f)));
  constexpr float kP[10] = {0.225716857f, 0.224748665f,  0.216689386f, 0.121059983f,
                            0.297973194f, -0.334311876f, 0.60934218f,  -0.546502618f,
                            0.218785356f, -0.0335011269f};
  V p = splat(kP[9]);
  for (int i = 8; i >= 0; --i) p = fma(p, t, splat(kP[i]));
  return mul(mul(p, t), exponential(sub(zero(), mul(z, z))));
}

// x/2 (1 + erf(x/sqrt 2)): the half erfc is exact to rounding on the negative side.
inline V gelu_erf(V x) {
  const V c = mul(splat(0.5f), erfc_positive(mul(absolute(x), splat(0.707106781f))));
  return mul(x, select_less(x, zero(), c, sub(splat(1.0f), c)));
}

template <Act A>
inline V apply(V x) {
  if constexpr (A == Act::kSilu) return silu(x);
  if constexpr (A == Act::kGeluTanh) return gelu_tanh(x);
  if constexpr (A == Act::kGeluErf) return gelu_erf(x);
  if constexpr (A == Act::kQuickGelu) return quick_gelu(x);
  return x;
}
