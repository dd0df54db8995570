// Largest magnitudes and percentiles, against sorted values.
#include "quantize/activation_range.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

namespace octet {
namespace {

TEST(ActivationRange, AgreesWithSortedValues) {
  std::mt19937 random(3);
  std::vector<float> values(20011);
  for (float& v : values) {
    v = static_cast<float>(static_cast<std::int32_t>(random())) * 0x1p-31f;
    v *= std::exp2(static_cast<float>(random() % 20) - 10.0f);
  }
  ActivationRange range;
  EXPECT_TRUE(range.add(std::span(values).first(777)));
  EXPECT_TRUE(range.add(std::span(values).subspan(777)));
  for (float& v : values) v = std::fabs(v);
  std::sort(values.begin(), values.end());
  EXPECT_EQ(range.count(), values.size());
  EXPECT_EQ(range.amax(), values.back());
  EXPECT_EQ(range.percentile(100), values.back());
  for (const double percent : {1.0, 50.0, 90.0, 99.0, 99.99}) {
    const double rank = std::ceil(static_cast<double>(values.size()) * percent / 100.0);
    const float exact = values[static_cast<std::size_t>(rank) - 1];
    EXPECT_GE(range.percentile(percent), exact) << percent;
    EXPECT_LE(range.percentile(percent), exact * 1.032f) << percent;
  }
}

TEST(ActivationRange, OrderDoesNotMatter) {
  std::vector<float> values = {1, -3, 0.5f, 2, 1e-30f, -0.0f};
  ActivationRange forward;
  forward.add(values);
  std::reverse(values.begin(), values.end());
  ActivationRange backward;
  for (const float v : values) backward.add(std::span(&v, 1));
  EXPECT_EQ(forward.amax(), 3);
  for (const double percent : {10.0, 60.0, 99.0}) {
    EXPECT_EQ(forward.percentile(percent), backward.percentile(percent));
  }
}

TEST(ActivationRange, SaysWhenAValueIsNotFinite) {
  for (const float bad : {NAN, INFINITY, -INFINITY}) {
    ActivationRange range;
    EXPECT_FALSE(range.add(std::vector<float>{1, bad, -2}));
    EXPECT_EQ(range.amax(), 2);
    EXPECT_EQ(range.count(), 2u);
  }
}

TEST(ActivationRange, NothingSeen) {
  const ActivationRange range;
  EXPECT_EQ(range.amax(), 0);
  EXPECT_EQ(range.percentile(99), 0);
}

}  // namespace
}  // namespace octet
