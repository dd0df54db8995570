// The gate's limits: each can break, none breaks alone at its value.
#include "quantize/gate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace octet {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

LayerReport good_layer(const std::string& name) {
  LayerReport l{.name = name};
  l.quantised = true;
  l.weight_error = 0.03;
  l.output_error = 0.04;
  l.input_scale = 1.0f / 448;
  l.held_out_amax = 1.1f;
  l.inputs = 100000;
  l.saturated = 10;
  return l;
}

QuantizeReport good_report() {
  QuantizeReport r;
  r.layers = {good_layer("a"), good_layer("b")};
  r.pictures = {{.psnr = 38, .ssim = 0.99, .gmsd = 0.02}, {.psnr = 36, .ssim = 0.98, .gmsd = 0.04}};
  return r;
}

std::vector<std::string> failures(QuantizeReport r) {
  apply_limits(GateLimits{}, r);
  return r.failures;
}

void expect_failure(const QuantizeReport& r, const std::string& start) {
  const auto found = failures(r);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_TRUE(found[0].starts_with(start)) << found[0];
}

TEST(Gate, GoodPassesWithMeans) {
  QuantizeReport r = good_report();
  apply_limits(GateLimits{}, r);
  EXPECT_TRUE(r.failures.empty());
  EXPECT_DOUBLE_EQ(r.psnr, 37);
  EXPECT_DOUBLE_EQ(r.ssim, 0.985);
  EXPECT_DOUBLE_EQ(r.gmsd, 0.03);
}

TEST(Gate, PicturesBelowALimit) {
  const GateLimits limits;
  for (const double bad : {limits.psnr - 20, kNan}) {
    QuantizeReport r = good_report();
    r.pictures[0].psnr = r.pictures[1].psnr = bad;
    expect_failure(r, "PSNR: expected at least");
  }
  QuantizeReport r = good_report();
  r.pictures[1].ssim = -1;
  expect_failure(r, "SSIM: expected at least");
  r = good_report();
  r.pictures[0].gmsd = 0.5;
  expect_failure(r, "GMSD: expected at most");
}

TEST(Gate, LayersNameTheWorst) {
  QuantizeReport r = good_report();
  r.layers[0].weight_error = 0.5;
  r.layers[1].weight_error = 9;
  apply_limits(GateLimits{}, r);
  ASSERT_EQ(r.failures.size(), 1u);
  EXPECT_EQ(r.failures[0], "weight error: expected at most 0.1, found 9 (b and 1 more)");
}

TEST(Gate, EachFigureOfALayer) {
  QuantizeReport r = good_report();
  r.layers[1].output_error = kNan;
  expect_failure(r, "layer error: expected at most");
  r = good_report();
  r.layers[1].saturated = 1000;
  expect_failure(r, "saturated share: expected at most");
  r = good_report();
  *r.layers[0].input_scale *= 10;
  expect_failure(r, "input range / largest input: expected at most");
  r = good_report();
  *r.layers[0].input_scale /= 10;
  expect_failure(r, "input range / largest input: expected at least");
}

TEST(Gate, LayersWithoutStaticScalesHaveNoRange) {
  QuantizeReport r = good_report();
  for (LayerReport& l : r.layers) l.input_scale.reset();
  EXPECT_TRUE(failures(r).empty());
}

TEST(Gate, SomeInputScalesMissing) {
  QuantizeReport r = good_report();
  r.layers[1].input_scale.reset();
  expect_failure(r, "input scales: expected for all or none of 2 FP8 layers, found 1 (none for b)");
  r.layers[1].quantised = false;
  EXPECT_TRUE(failures(r).empty()) << "a layer in 16 bit has none";
}

TEST(Gate, EarlierFailuresStay) {
  QuantizeReport r = good_report();
  r.pictures.clear();
  r.failures = {"the candidate cannot be used: x"};
  EXPECT_EQ(failures(r).size(), 1u);
}

}  // namespace
}  // namespace octet
