// The Hopper attention kernel against its formula: odd shapes, strided and joint inputs, two
// outputs, scores that outgrow the first block's maximum. Skipped where there is no Hopper GPU.
#include "backend/cuda/attention/attention.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "backend/cuda/attention_reference.h"

namespace octet {
namespace {

using cuda::AttentionDesc;
using Bf16 = std::uint16_t;

constexpr std::int64_t kHead = 64;
constexpr Bf16 kPoison = 0x7fc1;  // a NaN that no computation produces

Bf16 to_bf16(float x) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, &x, sizeof(bits));
  return static_cast<Bf16>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

float to_float(Bf16 x) {
  const std::uint32_t bits = std::uint32_t{x} << 16;
  float y = 0;
  std::memcpy(&y, &bits, sizeof(y));
  return y;
}

bool have_hopper() {
  int count = 0;
  cudaDeviceProp properties{};
  return cudaGetDeviceCount(&count) == cudaSuccess && count > 0 &&
         cudaGetDeviceProperties(&properties, 0) == cudaSuccess && properties.major == 9 &&
         properties.minor == 0;
}

template <typename T>
class DeviceArray {
 public:
  explicit DeviceArray(const std::vector<T>& host) : size_(host.size()) {
    EXPECT_EQ(cudaMalloc(&data_, size_ * sizeof(T)), cudaSuccess);
    EXPECT_EQ(cudaMemcpy(data_, host.data(), size_ * sizeof(T), cudaMemcpyHostToDevice),
              cudaSuccess);
  }
  ~DeviceArray() { cudaFree(data_); }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;
  [[nodiscard]] T* data() const { return static_cast<T*>(data_); }
  [[nodiscard]] std::vector<T> host() const {
    std::vector<T> host(size_);
    EXPECT_EQ(cudaMemcpy(host.data(), data_, size_ * sizeof(T), cudaMemcpyDeviceToHost),
              cudaSuccess);
    return host;
  }

 private:
  void* data_ = nullptr;
  std::size_t size_;
};

struct Case {
  std::int64_t batch = 1, heads = 1;
  std::int64_t first = 0, rest = 0;  // queries of the two outputs
  std::int64_t keys = 0;             // the first tokens; the queries are the first tokens too
  float size = 1;                    // of queries
  std::int64_t spike = -1;           // this key is much longer than the others

  // Of one batch: more than keys where there are more queries.
  [[nodiscard]] std::int64_t tokens() const { return std::max(first + rest, keys); }
};

std::vector<Bf16> random_bf16(std::int64_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<Bf16> values(static_cast<std::size_t>(count));
  for (Bf16& x : values) x = to_bf16(normal(random));
  return values;
}

// q, k and v of one product, as the model has them.
std::vector<Bf16> joint_input(const Case& c) {
  const std::int64_t width = c.heads * kHead;
  std::vector<Bf16> qkv = random_bf16(c.batch * c.tokens() * 3 * width, 7);
  for (std::int64_t token = 0; token < c.batch * c.tokens(); ++token) {
    const bool spike = token % c.tokens() == c.spike;
    for (std::int64_t i = 0; i < 2 * width; ++i) {
      const float by = i < width ? c.size : spike ? 40.0f : 1.0f;
      Bf16& x = qkv[static_cast<std::size_t>(token * 3 * width + i)];
      x = to_bf16(to_float(x) * by);
    }
  }
  return qkv;
}

class Attention : public testing::TestWithParam<Case> {};

// Rows of the outputs are wider than the results, and one more follows: all of it has to survive.
struct Output {
  Output(const Case& c, std::int64_t count)
      : tokens(count),
        stride(c.heads * kHead + 8),
        batch_stride((count + 1) * stride),
        memory(std::vector<Bf16>(static_cast<std::size_t>(c.batch * batch_stride), kPoison)) {}
  [[nodiscard]] cuda::AttentionOutput view() const {
    return {.data = memory.data(),
            .tokens = tokens,
            .batch_stride = batch_stride,
            .token_stride = stride};
  }
  std::int64_t tokens, stride, batch_stride;
  DeviceArray<Bf16> memory;
};

// Compares one output with the reference's rows from `begin` on; returns relative L2 error.
double compare(const Case& c, const Output& out, std::int64_t begin,
               const std::vector<float>& expected) {
  const std::int64_t width = c.heads * kHead;
  const std::vector<Bf16> found = out.memory.host();
  double error = 0;
  double norm = 1e-30;
  int failures = 0;
  for (std::int64_t b = 0; b < c.batch; ++b) {
    for (std::int64_t s = 0; s <= out.tokens; ++s) {
      for (std::int64_t i = 0; i < out.stride; ++i) {
        const Bf16 bits =
            found[static_cast<std::size_t>(b * out.batch_stride + s * out.stride + i)];
        if (i >= width || s == out.tokens) {
          if (bits != kPoison && ++failures < 5) {
            ADD_FAILURE() << "overwritten: batch " << b << " row " << s << " column " << i;
          }
          continue;
        }
        const double want =
            expected[static_cast<std::size_t>((b * (c.first + c.rest) + begin + s) * width + i)];
        const double got = to_float(bits);
        if (!(std::abs(got - want) < 0.02 + 0.02 * std::abs(want)) && ++failures < 5) {
          ADD_FAILURE() << "batch " << b << " row " << begin + s << " column " << i << ": expected "
                        << want << ", found " << got;
        }
        error += (got - want) * (got - want);
        norm += want * want;
      }
    }
  }
  return std::sqrt(error / norm);
}

TEST_P(Attention, EqualsTheFormula) {
  if (!have_hopper()) GTEST_SKIP() << "no GPU of compute capability 9.0";
  const Case& c = GetParam();
  const std::int64_t width = c.heads * kHead;
  const DeviceArray<Bf16> qkv(joint_input(c));
  const Output first(c, c.first);
  const Output rest(c, c.rest);
  const auto part = [&](std::int64_t i) {
    return cuda::AttentionInput{.data = qkv.data() + i * width,
                                .batch_stride = c.tokens() * 3 * width,
                                .token_stride = 3 * width,
                                .head_stride = kHead};
  };
  const AttentionDesc desc{.q = part(0),
                           .k = part(1),
                           .v = part(2),
                           .out = {first.view(), rest.view()},
                           .batch = c.batch,
                           .heads = c.heads,
                           .keys = c.keys,
                           .scale = 0.125f};
  const DeviceArray<float> expected(
      std::vector<float>(static_cast<std::size_t>(c.batch * (c.first + c.rest) * width)));
  test::attention_reference(desc, expected.data());
  ASSERT_TRUE(cuda::attention_supports(desc, 90));
  cuda::attention_launch(desc, nullptr);
  ASSERT_EQ(cudaDeviceSynchronize(), cudaSuccess);
  const std::vector<float> rows = expected.host();
  const double error = std::max(compare(c, first, 0, rows), compare(c, rest, c.first, rows));
  EXPECT_LT(error, 4e-3);  // BF16 weights and results
  RecordProperty("relative_l2", std::to_string(error));
  std::printf("relative L2 %.2e\n", error);
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, Attention,
    testing::Values(
        Case{.first = 1, .keys = 1}, Case{.first = 64, .keys = 64}, Case{.first = 128, .keys = 128},
        Case{.first = 192, .keys = 192}, Case{.first = 1, .rest = 1, .keys = 2},
        Case{.batch = 2, .heads = 3, .first = 63, .keys = 65},
        Case{.batch = 3, .heads = 2, .first = 100, .rest = 57, .keys = 157},
        Case{.batch = 2, .heads = 5, .first = 256, .rest = 77, .keys = 333},
        Case{.batch = 2, .heads = 2, .first = 191, .keys = 129},
        Case{.batch = 2, .heads = 24, .first = 1024, .rest = 256, .keys = 1280},
        Case{.batch = 1, .heads = 7, .first = 4096, .rest = 333, .keys = 4429},
        Case{.batch = 2, .heads = 38, .first = 1024, .rest = 333, .keys = 1357},
        // Scores of some hundreds: the first block's maximum is far too small.
        Case{.batch = 1, .heads = 2, .first = 300, .keys = 1000, .size = 8, .spike = 17},
        Case{.batch = 1, .heads = 2, .first = 300, .keys = 1000, .size = 8, .spike = 999},
        Case{.batch = 2,
             .heads = 38,
             .first = 1000,
             .rest = 57,
             .keys = 1057,
             .size = 8,
             .spike = 500}));

}  // namespace
}  // namespace octet
