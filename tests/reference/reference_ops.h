// Naive versions of the ops, in double, written from the contract in backend/ops.h and from nothing
// else. Slow and plain on purpose: nested loops over dense row-major vectors.
#pragma once

#include <cstdint>
#include <vector>

#include "backend/ops.h"

namespace octet::reference {

using Values = std::vector<double>;

[[nodiscard]] double activate(Act act, double x);

/// A sum with the sum of the magnitudes of its terms, from which rounding bounds follow.
struct Sums {
  Values value, magnitude;
};

/// x [rows, in] times weight [out, in] transposed.
[[nodiscard]] Sums linear(const Values& x, const Values& weight, std::int64_t in, std::int64_t out);

struct ConvShape {
  std::int64_t batch, height, width, in, out, kernel, stride, before, after;
  bool upsample;
  [[nodiscard]] std::int64_t out_size(std::int64_t size) const {
    return ((upsample ? 2 * size : size) + before + after - kernel) / stride + 1;
  }
};
/// x [B,H,W,I], weight [O,I,k,k] to [B,Ho,Wo,O].
[[nodiscard]] Sums conv2d(const Values& x, const Values& weight, const ConvShape& shape);

struct AttentionShape {
  std::int64_t batch, queries, keys, heads, size;
  double scale;
  bool causal;
};
/// q [B,Sq,H,D], k and v [B,Sk,H,D], bias [H,Sq,Sk] or empty, to [B,Sq,H*D].
[[nodiscard]] Values attention(const Values& q, const Values& k, const Values& v,
                               const Values& bias, const AttentionShape& shape);

/// Rows of n: (x-mean)/sqrt(var+eps).
[[nodiscard]] Values normalize(const Values& x, std::int64_t n, double eps);
/// Rows of n: x/sqrt(mean(x^2)+eps).
[[nodiscard]] Values rms_normalize(const Values& x, std::int64_t n, double eps);
/// x [B, pixels, C].
[[nodiscard]] Values group_normalize(const Values& x, std::int64_t batch, std::int64_t channels,
                                     std::int64_t groups, double eps);
/// Bucket of a T5 relative position (key - query), from arXiv 1910.10683.
[[nodiscard]] std::int64_t t5_bucket(std::int64_t distance, std::int64_t buckets,
                                     std::int64_t max_distance);

}  // namespace octet::reference
