// The op suite: a table of cases, each of which runs one op on a backend and compares it with the
// naive reference. The suite runs every case on every instruction set and thread count.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <limits>
#include <list>
#include <random>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "backend/ops_checked.h"
#include "reference/reference_ops.h"
#include "tensor/float_formats.h"

namespace octet {

using reference::Values;

/// How far a device may be from exact sums; the reference processor rounds once, at the end.
struct Slack {
  double products = 0;  // of the sum of magnitudes of a dot product's terms
  double relative = 0;  // of the result, where it is rounded on the way
};

/// Where the operands of a case lie and what to expect of the device.
struct BenchOptions {
  std::function<Buffer(std::size_t)> allocate = allocate_host;  // readable by host and device
  /// False: an odd distance from the alignment of the memory, because kernels may assume none
  /// beyond the element's. True: rows on multiples of 32 bytes, which opens the fast paths.
  bool aligned = false;
  std::function<Slack(const Weight&)> slack = [](const Weight&) { return Slack{}; };
  double attention = 0;  // added to the tolerance of BF16 attention, per unit of range
};

/// What one run of a case owns: operands in guarded memory, poisoned outputs, and the verdict.
class Bench {
 public:
  Bench(Backend& backend, std::uint64_t seed, BenchOptions options = {})
      : backend_(backend), options_(std::move(options)), random_(seed) {}

  [[nodiscard]] Ctx ctx() { return {backend_, arena_}; }
  [[nodiscard]] Backend& backend() { return backend_; }
  [[nodiscard]] const BenchOptions& options() const { return options_; }

  struct Layout {
    std::int64_t row_gap = 0;  // unused elements after each row (last dimension)
    float low = -2, high = 2;
  };
  /// Random values of a float dtype.
  Tensor input(DType dtype, std::initializer_list<std::int64_t> dims) {
    return input(dtype, dims, Layout{});
  }
  Tensor input(DType dtype, std::initializer_list<std::int64_t> dims, Layout layout);
  /// A view full of NaN in the middle of guarded memory.
  Tensor output(DType dtype, std::initializer_list<std::int64_t> dims, std::int64_t row_gap = 0);
  /// A tensor that the op updates in place: random, and an output at the same time.
  Tensor in_place(DType dtype, std::initializer_list<std::int64_t> dims, Layout layout);
  Tensor ints(std::initializer_list<std::int64_t> dims, int below);
  /// FP8 output with room for one scale per row.
  Activation fp8_output(std::initializer_list<std::int64_t> dims, bool dynamic, float scale = 0);

  /// A linear ([out, in]) or convolution ([out, in, k, k]) weight with random values.
  HostWeight weight(DType dtype, std::vector<std::int64_t> dims, ScaleKind scale = ScaleKind::kNone,
                    bool bias = true);

  [[nodiscard]] float uniform(float low, float high) {
    return std::uniform_real_distribution<float>(low, high)(random_);
  }

  /// Compares a float output: |found - wanted| <= absolute + relative*|wanted| per element; for
  /// BF16 the rounding of the format is added.
  void expect(const Tensor& found, const Values& wanted, double relative, double absolute);
  void expect(const Tensor& found, const Values& wanted, const Values& tolerance);
  /// Compares FP8 codes and scales with exact values. Scales of rows are of the row's largest
  /// value, or of at most `bound`.
  void expect_fp8(const Activation& found, const Values& wanted, double tolerance,
                  double bound = 0);

  /// Checks that no byte outside the outputs changed, and returns the bytes of all outputs.
  [[nodiscard]] std::vector<unsigned char> finish();

 private:
  struct Block {
    Buffer memory;
    std::vector<unsigned char> before;
    [[nodiscard]] std::vector<unsigned char> bytes() const {
      const auto* p = static_cast<const unsigned char*>(memory.data());
      return {p, p + memory.size()};
    }
    Tensor view;
    bool output = false;
  };
  Tensor place(DType dtype, std::initializer_list<std::int64_t> dims, std::int64_t row_gap,
               bool output);

  Backend& backend_;
  BenchOptions options_;
  Arena arena_{Buffer()};
  std::mt19937_64 random_;
  std::list<Block> blocks_;
};

/// The values of any view in row-major order.
[[nodiscard]] Values values_of(const Tensor& t);
/// True values of a weight (codes times scales), optionally rounded to BF16.
[[nodiscard]] Values values_of(const HostWeight& w, bool round_bf16);

struct OpCase {
  std::string op;    // name in ops.h
  std::string name;  // what is special, for messages
  std::function<void(Bench&)> run;
};

[[nodiscard]] std::vector<OpCase> move_cases();
[[nodiscard]] std::vector<OpCase> embed_cases();
[[nodiscard]] std::vector<OpCase> linear_cases();
[[nodiscard]] std::vector<OpCase> conv_cases();
[[nodiscard]] std::vector<OpCase> attention_cases();
[[nodiscard]] std::vector<OpCase> norm_cases();
[[nodiscard]] std::vector<OpCase> pointwise_cases();

inline void append(std::vector<OpCase>& to, std::vector<OpCase> more) {
  for (OpCase& c : more) to.push_back(std::move(c));
}

/// All of them. Inline: programs without the cases do not link them.
[[nodiscard]] inline std::vector<OpCase> all_cases() {
  std::vector<OpCase> cases;
  append(cases, move_cases());
  append(cases, embed_cases());
  append(cases, linear_cases());
  append(cases, conv_cases());
  append(cases, attention_cases());
  append(cases, norm_cases());
  append(cases, pointwise_cases());
  return cases;
}
/// Applies f to every value.
template <typename F>
Values each(Values v, F f) {
  for (double& x : v) x = f(x);
  return v;
}

}  // namespace octet
