#include "reference/reference_ops.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace octet::reference {
namespace {
std::size_t u(std::int64_t i) { return static_cast<std::size_t>(i); }
}  // namespace

double activate(Act act, double x) {
  switch (act) {
    case Act::kNone:
      return x;
    case Act::kSilu:
      return x / (1 + std::exp(-x));
    case Act::kGeluTanh:
      return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    case Act::kGeluErf:
      return 0.5 * x * std::erfc(-x / std::sqrt(2.0));
    case Act::kQuickGelu:
      return x / (1 + std::exp(-1.702 * x));
  }
  return std::nan("");
}

Sums linear(const Values& x, const Values& weight, std::int64_t in, std::int64_t out) {
  Sums r;
  const std::int64_t rows = static_cast<std::int64_t>(x.size()) / in;
  for (std::int64_t m = 0; m < rows; ++m) {
    for (std::int64_t n = 0; n < out; ++n) {
      double sum = 0;
      double magnitude = 0;
      for (std::int64_t k = 0; k < in; ++k) {
        const double term = x[u(m * in + k)] * weight[u(n * in + k)];
        sum += term;
        magnitude += std::fabs(term);
      }
      r.value.push_back(sum);
      r.magnitude.push_back(magnitude);
    }
  }
  return r;
}

Sums conv2d(const Values& x, const Values& weight, const ConvShape& s) {
  Sums r;
  const std::int64_t factor = s.upsample ? 2 : 1;
  const auto pixel = [&](std::int64_t b, std::int64_t y, std::int64_t col, std::int64_t c) {
    if (y < 0 || col < 0 || y >= s.height * factor || col >= s.width * factor) return 0.0;
    return x[u(((b * s.height + y / factor) * s.width + col / factor) * s.in + c)];
  };
  for (std::int64_t b = 0; b < s.batch; ++b) {
    for (std::int64_t oy = 0; oy < s.out_size(s.height); ++oy) {
      for (std::int64_t ox = 0; ox < s.out_size(s.width); ++ox) {
        for (std::int64_t o = 0; o < s.out; ++o) {
          double sum = 0;
          double magnitude = 0;
          for (std::int64_t c = 0; c < s.in; ++c) {
            for (std::int64_t ky = 0; ky < s.kernel; ++ky) {
              for (std::int64_t kx = 0; kx < s.kernel; ++kx) {
                const double term =
                    pixel(b, oy * s.stride + ky - s.before, ox * s.stride + kx - s.before, c) *
                    weight[u(((o * s.in + c) * s.kernel + ky) * s.kernel + kx)];
                sum += term;
                magnitude += std::fabs(term);
              }
            }
          }
          r.value.push_back(sum);
          r.magnitude.push_back(magnitude);
        }
      }
    }
  }
  return r;
}

Values attention(const Values& q, const Values& k, const Values& v, const Values& bias,
                 const AttentionShape& s) {
  Values result;
  const auto at = [&](const Values& t, std::int64_t tokens, std::int64_t b, std::int64_t token,
                      std::int64_t h, std::int64_t d) {
    return t[u(((b * tokens + token) * s.heads + h) * s.size + d)];
  };
  for (std::int64_t b = 0; b < s.batch; ++b) {
    for (std::int64_t i = 0; i < s.queries; ++i) {
      for (std::int64_t h = 0; h < s.heads; ++h) {
        const std::int64_t visible = s.causal ? std::min(s.keys, i + 1) : s.keys;
        Values score;
        double top = -std::numeric_limits<double>::infinity();
        for (std::int64_t j = 0; j < visible; ++j) {
          double dot = 0;
          for (std::int64_t d = 0; d < s.size; ++d) {
            dot += at(q, s.queries, b, i, h, d) * at(k, s.keys, b, j, h, d);
          }
          dot *= s.scale;
          if (!bias.empty()) dot += bias[u((h * s.queries + i) * s.keys + j)];
          score.push_back(dot);
          top = std::max(top, dot);
        }
        double total = 0;
        for (double& x : score) total += x = std::exp(x - top);
        for (std::int64_t d = 0; d < s.size; ++d) {
          double sum = 0;
          for (std::int64_t j = 0; j < visible; ++j) {
            sum += score[u(j)] * at(v, s.keys, b, j, h, d);
          }
          result.push_back(sum / total);
        }
      }
    }
  }
  return result;
}

Values normalize(const Values& x, std::int64_t n, double eps) {
  Values result = x;
  for (std::size_t row = 0; row < x.size(); row += u(n)) {
    double mean = 0;
    for (std::size_t i = 0; i < u(n); ++i) mean += x[row + i];
    mean /= static_cast<double>(n);
    double variance = 0;
    for (std::size_t i = 0; i < u(n); ++i) variance += (x[row + i] - mean) * (x[row + i] - mean);
    variance /= static_cast<double>(n);
    for (std::size_t i = 0; i < u(n); ++i) {
      result[row + i] = (x[row + i] - mean) / std::sqrt(variance + eps);
    }
  }
  return result;
}

Values rms_normalize(const Values& x, std::int64_t n, double eps) {
  Values result = x;
  for (std::size_t row = 0; row < x.size(); row += u(n)) {
    double sum = 0;
    for (std::size_t i = 0; i < u(n); ++i) sum += x[row + i] * x[row + i];
    for (std::size_t i = 0; i < u(n); ++i) {
      result[row + i] = x[row + i] / std::sqrt(sum / static_cast<double>(n) + eps);
    }
  }
  return result;
}

Values group_normalize(const Values& x, std::int64_t batch, std::int64_t channels,
                       std::int64_t groups, double eps) {
  const std::int64_t pixels = static_cast<std::int64_t>(x.size()) / batch / channels;
  const std::int64_t width = channels / groups;
  Values result(x.size());
  for (std::int64_t b = 0; b < batch; ++b) {
    for (std::int64_t g = 0; g < groups; ++g) {
      Values members;
      for (std::int64_t p = 0; p < pixels; ++p) {
        for (std::int64_t c = 0; c < width; ++c) {
          members.push_back(x[u((b * pixels + p) * channels + g * width + c)]);
        }
      }
      const Values normal = normalize(members, static_cast<std::int64_t>(members.size()), eps);
      for (std::int64_t p = 0; p < pixels; ++p) {
        for (std::int64_t c = 0; c < width; ++c) {
          result[u((b * pixels + p) * channels + g * width + c)] = normal[u(p * width + c)];
        }
      }
    }
  }
  return result;
}

std::int64_t t5_bucket(std::int64_t distance, std::int64_t buckets, std::int64_t max_distance) {
  const std::int64_t n = buckets / 2;
  const std::int64_t sign = distance > 0 ? n : 0;
  const std::int64_t size = std::abs(distance);
  if (size < n / 2) return sign + size;
  const double half = static_cast<double>(n / 2);
  const double far = std::log(static_cast<double>(size) / half) /
                     std::log(static_cast<double>(max_distance) / half) *
                     (static_cast<double>(n) - half);
  // At exact powers the logarithms are equal up to rounding; the floor is meant of the exact value.
  return sign + std::min(n / 2 + static_cast<std::int64_t>(std::floor(far + 1e-9)), n - 1);
}

}  // namespace octet::reference
