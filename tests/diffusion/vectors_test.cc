// Sigmas, noise and a dpmpp_2m path against tests/golden/vectors.json, which diffusers and torch
// wrote.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/sha256.h"
#include "diffusion/rng.h"
#include "diffusion/sampler.h"
#include "diffusion/schedule.h"

namespace octet {
namespace {

const nlohmann::json& vectors() {
  static const nlohmann::json document =
      nlohmann::json::parse(std::ifstream(OCTET_TEST_DATA "/golden/vectors.json"));
  return document;
}

// FP32 values stored as eight hexadecimal digits each.
std::vector<float> floats(const nlohmann::json& list) {
  std::vector<float> values;
  for (const auto& item : list) {
    const auto bits = static_cast<std::uint32_t>(std::stoul(item.get<std::string>(), nullptr, 16));
    std::memcpy(&values.emplace_back(), &bits, sizeof(bits));
  }
  return values;
}

TEST(Vectors, SigmasAndTimesteps) {
  ASSERT_GE(vectors().at("sigmas").size(), 10u);
  for (const auto& entry : vectors().at("sigmas")) {
    const std::vector<float> sigmas =
        make_sigmas(find_schedule("normal"), entry.at("steps"), entry.at("shift"));
    EXPECT_EQ(sigmas, floats(entry.at("sigmas"))) << entry.at("shift") << " " << entry.at("steps");
    std::vector<float> timesteps;
    for (Row row(find_sampler("euler"), sigmas); !row.done(); row.advance()) {
      timesteps.push_back(row.timestep());
    }
    EXPECT_EQ(timesteps, floats(entry.at("timesteps")));
  }
}

TEST(Vectors, Noise) {
  ASSERT_GE(vectors().at("noise").size(), 10u);
  for (const auto& entry : vectors().at("noise")) {
    std::vector<float> values(entry.at("size").get<std::size_t>());
    torch_randn(entry.at("seed").get<std::uint64_t>(), values);
    EXPECT_EQ(sha256_hex(std::as_bytes(std::span(values))), entry.at("sha256").get<std::string>())
        << entry.at("seed") << " " << entry.at("size");
    const std::vector<float> first = floats(entry.at("first"));
    EXPECT_TRUE(std::equal(first.begin(), first.end(), values.begin()));
  }
}

TEST(Vectors, Dpmpp2mPath) {
  const auto& path = vectors().at("dpmpp_2m");
  const auto states = path.at("states").get<std::vector<std::vector<double>>>();
  const Row start(find_sampler("dpmpp_2m"), path.at("sigmas").get<std::vector<float>>());
  ASSERT_EQ(states.size(), static_cast<std::size_t>(start.steps()) + 1);
  for (std::size_t i = 0; i < states[0].size(); ++i) {
    double x = states[0][i], previous = 0;
    for (Row row = start; !row.done(); row.advance()) {
      const double sigma = row.sigma();
      const double v = std::sin(3 * x) + 0.5 * sigma * x - 0.25;  // as in vectors.py
      const StepCoefficients c = row.coefficients();
      const double x0 = x - sigma * v;
      x = c.x * x + c.v * v + c.previous * previous;
      previous = x0;
      EXPECT_NEAR(x, states[static_cast<std::size_t>(row.step()) + 1][i], 2e-6);
    }
  }
}

}  // namespace
}  // namespace octet
