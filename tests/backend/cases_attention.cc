// attention.
#include <algorithm>

#include "backend/op_case.h"
#include "tensor/float_formats.h"

namespace octet {
namespace {

struct AttentionSpec {
  reference::AttentionShape shape;
  DType in = DType::kF32;
  DType dst = DType::kF32;
  std::int64_t rest = 0;  // queries of the second destination
  bool bias = false;
  bool norm = false;
  bool fixed_scale = false;  // of an FP8 result
  float range = 2;
};

// The queries as the op has to normalise them, by two weights.
Values normalised(Bench& b, const AttentionSpec& s, AttentionArgs& a) {
  const std::int64_t size = s.shape.size;
  for (Tensor& w : a.norm_q) w = b.input(DType::kF32, {size}, {.low = 0.5f, .high = 1.5f});
  Values q = reference::rms_normalize(values_of(a.q), size, 1e-6);
  const std::int64_t first = s.shape.queries - s.rest;
  const Values weight[2] = {values_of(a.norm_q[0]), values_of(a.norm_q[1])};
  for (std::size_t i = 0; i < q.size(); ++i) {
    const auto at = static_cast<std::int64_t>(i);
    const bool rest = at / (size * s.shape.heads) % s.shape.queries >= first;
    q[i] *= weight[rest ? 1 : 0][static_cast<std::size_t>(at % size)];
    if (s.in == DType::kBF16) {
      q[i] = static_cast<double>(bf16_to_f32(f32_to_bf16(static_cast<float>(q[i]))));
    }
  }
  return q;
}

void run_attention(Bench& b, const AttentionSpec& s) {
  const reference::AttentionShape& c = s.shape;
  AttentionArgs a;
  a.scale = static_cast<float>(c.scale);
  a.causal = c.causal;
  // q, k and v lie side by side, as one product leaves them; queries may be fewer.
  const Bench::Layout layout{.row_gap = 0, .low = -s.range, .high = s.range};
  const Tensor all = s.norm ? b.in_place(s.in, {c.batch, c.keys, 3 * c.heads, c.size}, layout)
                            : b.input(s.in, {c.batch, c.keys, 3 * c.heads, c.size}, layout);
  a.k = slice(all, 2, c.heads, 2 * c.heads);
  a.v = slice(all, 2, 2 * c.heads, 3 * c.heads);
  a.q = c.queries <= c.keys ? slice(slice(all, 2, 0, c.heads), 1, 0, c.queries)
                            : b.input(s.in, {c.batch, c.queries, c.heads, c.size}, layout);
  if (s.bias) a.bias = b.input(DType::kF32, {c.heads, c.queries, c.keys}, layout);
  const std::int64_t width = c.heads * c.size;
  const auto output = [&](std::int64_t queries) {
    return is_fp8(s.dst) ? b.fp8_output({c.batch, queries, width}, !s.fixed_scale, s.range / 500)
                         : Activation(b.output(s.dst, {c.batch, queries, width}, 6));
  };
  a.dst = output(c.queries - s.rest);
  if (s.rest > 0) a.rest = output(s.rest);
  const Values q = s.norm ? normalised(b, s, a) : values_of(a.q);
  ops::attention(b.ctx(), a);
  const Values all_wanted =
      reference::attention(q, values_of(a.k), values_of(a.v), s.bias ? values_of(a.bias) : Values{},
                           {.batch = c.batch,
                            .queries = c.queries,
                            .keys = c.keys,
                            .heads = c.heads,
                            .size = c.size,
                            .scale = static_cast<double>(a.scale),
                            .causal = c.causal});
  const auto expect = [&](const Activation& dst, std::int64_t begin) {
    Values wanted;
    const std::int64_t count = dst.data.dim(1) * width;
    for (std::int64_t i = 0; i < c.batch; ++i) {
      const auto from = all_wanted.begin() + (i * c.queries + begin) * width;
      wanted.insert(wanted.end(), from, from + count);
    }
    // A score is off by the rounding of its dot product, which grows with the squared range.
    const double range = static_cast<double>(s.range);
    // A normalised query may be rounded the other way.
    const double queries = s.norm ? 1e-4 : 0;
    const double weights = s.in == DType::kBF16 ? (b.options().attention + queries) * range : 0;
    if (is_fp8(s.dst)) {  // no mean of values is above the largest
      const Values v = values_of(a.v);
      const auto [low, high] = std::minmax_element(v.begin(), v.end());
      b.expect_fp8(dst, wanted, 1e-5 + weights, std::max(-*low, *high));
    } else {
      b.expect(dst.data, wanted, 1e-5, 8e-6 * range * range + weights);
    }
  };
  expect(a.dst, 0);
  if (s.rest > 0) expect(a.rest, c.queries - s.rest);
}

OpCase row(const AttentionSpec& s) {
  const reference::AttentionShape& c = s.shape;
  return {"attention",
          std::to_string(c.batch) + "x" + std::to_string(c.queries) + "x" + std::to_string(c.keys) +
              " h" + std::to_string(c.heads) + "x" + std::to_string(c.size) +
              (s.rest > 0 ? " rest " + std::to_string(s.rest) : "") + (s.norm ? " norm" : "") +
              (s.fixed_scale ? " fixed scale" : "") + (c.causal ? " causal " : " ") +
              (s.bias ? "bias " : "") + name_of(s.in) + " to " + name_of(s.dst),
          [s](Bench& b) { run_attention(b, s); }};
}

}  // namespace

std::vector<OpCase> attention_cases() {
  constexpr DType f32 = DType::kF32, bf16 = DType::kBF16, e4 = DType::kF8E4M3;
  std::vector<OpCase> cases;
  for (const std::int64_t tokens : {1, 2, 14, 15, 63, 64, 65, 129, 200}) {
    cases.push_back(row({.shape = {1, tokens, tokens, 2, 64, 0.125, false}}));
    cases.push_back(row({.shape = {2, tokens, tokens, 1, 40, 0.2, true}, .in = bf16}));
  }
  for (const std::int64_t size : {1, 8, 16, 24, 56, 72, 88, 160, 512}) {
    cases.push_back(row({.shape = {1, 33, 70, 2, size, 0.1, false}, .bias = true}));
  }
  cases.push_back(row({.shape = {2, 90, 70, 3, 64, 0.125, false}, .in = bf16, .dst = bf16}));
  cases.push_back(row({.shape = {2, 77, 77, 3, 64, 0.125, true}, .dst = bf16, .bias = true}));
  cases.push_back(row({.shape = {2, 45, 45, 3, 64, 0.125, false}, .dst = e4}));
  for (const DType dst : {f32, bf16, e4}) {  // a joint sequence with two results
    cases.push_back(row({.shape = {2, 83, 83, 3, 64, 0.125, false}, .dst = dst, .rest = 13}));
    cases.push_back(
        row({.shape = {2, 201, 201, 2, 64, 0.125, false}, .in = bf16, .dst = dst, .rest = 77}));
  }
  for (const DType in : {f32, bf16}) {  // queries that are normalised on the way
    cases.push_back(row({.shape = {2, 70, 70, 3, 64, 0.125, false}, .in = in, .norm = true}));
    cases.push_back(row({.shape = {2, 201, 201, 2, 64, 0.125, false},
                         .in = in,
                         .dst = bf16,
                         .rest = 77,
                         .norm = true}));
    cases.push_back(row(
        {.shape = {1, 40, 40, 2, 24, 0.2, false}, .in = in, .dst = bf16, .rest = 9, .norm = true}));
  }
  for (const bool fixed : {false, true}) {
    cases.push_back(row({.shape = {2, 300, 300, 5, 64, 0.125, false},
                         .in = bf16,
                         .dst = e4,
                         .rest = 90,
                         .norm = true,
                         .fixed_scale = fixed}));
  }
  // Large scores: the running maximum must move.
  cases.push_back(row({.shape = {1, 150, 150, 1, 64, 1.0, false}, .range = 6}));
  // No scale and a bias, as T5 has it.
  cases.push_back(
      row({.shape = {2, 100, 100, 2, 64, 1.0, false}, .in = f32, .bias = true, .range = 1}));
  return cases;
}

}  // namespace octet
