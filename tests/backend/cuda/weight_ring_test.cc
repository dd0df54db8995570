// Weights that come through the ring compute what weights on the device compute, bit for bit: in
// any order, again and again, op by op and inside of a graph. Places are full of NaN before they
// are filled, so a copy that comes late or is written over too early is seen. Skipped without GPU.
#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "backend/cuda/cuda_backend.h"
#include "backend/ops_checked.h"
#include "octet/error.h"

namespace octet {
namespace {

constexpr std::int64_t kRows = 640, kWidth = 1024;
constexpr int kWeights = 11;

std::unique_ptr<Backend> device() {
  try {
    return make_cuda_backend({.poison_places = true});
  } catch (const Error& e) {
    if (e.code() != Code::kDevice) throw;
    return nullptr;
  }
}

std::vector<float> random_values(std::size_t count, std::mt19937& random) {
  std::uniform_real_distribution<float> any(-0.1f, 0.1f);
  std::vector<float> values(count);
  for (float& v : values) v = any(random);
  return values;
}

HostWeight host_weight(int number, std::mt19937& random) {
  HostWeight w{.name = std::to_string(number), .dims = {kWidth, kWidth}};
  const std::vector<float> values = random_values(kWidth * kWidth, random);
  w.data.resize(values.size() * sizeof(float));
  std::memcpy(w.data.data(), values.data(), w.data.size());
  w.bias = random_values(kWidth, random);
  return w;
}

/// The same weights twice: on the device, and those of component "far" on the host.
class WeightRing : public testing::Test {
 protected:
  void SetUp() override {
    backend_ = device();
    if (!backend_) GTEST_SKIP() << "no usable GPU";
    constexpr std::size_t kBytes = (kWidth + 2) * kWidth * sizeof(float) + 2048;
    WeightPlaces places{.resident_bytes = kBytes,
                        .bytes_on_host = (kWeights - 2) * kBytes,
                        .largest_on_host = kBytes};
    for (int i = 0; i < kWeights; ++i) places.on_host.insert("far/" + std::to_string(i));
    backend_->place_weights(places);
    std::mt19937 random(7);
    for (int i = 0; i < kWeights; ++i) {
      const HostWeight w = host_weight(i, random);
      backend_->begin_component("near");
      near_.push_back(backend_->prepare(w, Compute::kF32));
      backend_->begin_component("far");
      far_.push_back(backend_->prepare(w, Compute::kF32));
    }
    arena_.emplace(backend_->allocate(std::size_t{64} << 20));
    for (Tensor& t : streams_) t = arena_->tensor(DType::kF32, {kRows, kWidth});
    start_ = random_values(kRows * kWidth, random);
  }

  // streams_[0] through these weights, one after the other.
  void chain(const std::vector<Weight>& weights, const std::vector<int>& order) {
    for (std::size_t i = 0; i < order.size(); ++i) {
      ops::linear({*backend_, *arena_}, {.dst = streams_[(i + 1) % 2],
                                         .x = streams_[i % 2],
                                         .weight = &weights[static_cast<std::size_t>(order[i])]});
    }
  }
  void begin() { backend_->upload(streams_[0], std::as_bytes(std::span(start_))); }
  std::vector<float> result(const std::vector<int>& order) {
    std::vector<float> values(kRows * kWidth);
    backend_->download(std::as_writable_bytes(std::span(values)), streams_[order.size() % 2]);
    return values;
  }
  std::vector<float> wanted(const std::vector<int>& order) {
    begin();
    chain(near_, order);
    return result(order);
  }

  std::unique_ptr<Backend> backend_;
  std::vector<Weight> near_, far_;
  std::optional<Arena> arena_;
  std::array<Tensor, 2> streams_;
  std::vector<float> start_;
};

TEST_F(WeightRing, AnyOrder) {
  const std::vector<std::vector<int>> orders = {
      {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, {10, 8, 6, 4, 2, 0},
      {3, 3, 3, 4, 4, 3, 5, 5},           {0, 10, 0, 10, 1, 9, 1, 9, 0},      {5}};
  for (const auto& order : orders) {
    begin();
    chain(far_, order);
    EXPECT_TRUE(result(order) == wanted(order)) << order.size() << " from " << order.front();
  }
}

// What is resident, between what comes through the ring, as the planner spreads them.
TEST_F(WeightRing, InsideOfAGraph) {
  const std::vector<int> order = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 4, 4, 0};
  const std::vector<float> expected = wanted(order);
  std::unique_ptr<Recording> recording;
  for (int turn = 0; turn < 5; ++turn) {
    begin();
    backend_->repeat(recording, [&] { chain(far_, order); });
    EXPECT_TRUE(result(order) == expected) << "turn " << turn;
    const std::vector<int> between = {2, 9, 1};  // op by op, with no regard to the graph
    begin();
    chain(far_, between);
    EXPECT_TRUE(result(between) == wanted(between)) << "turn " << turn;
  }
}

// The host runs ahead: many replays are under way at once.
TEST_F(WeightRing, ReplaysOneBehindTheOther) {
  std::vector<int> order;
  for (int i = 0; i < 8; ++i) order.push_back(i);
  std::vector<int> thrice;
  for (int i = 0; i < 3; ++i) thrice.insert(thrice.end(), order.begin(), order.end());
  const std::vector<float> expected = wanted(thrice);
  std::unique_ptr<Recording> recording;
  for (int turn = 0; turn < 4; ++turn) {
    begin();
    for (int i = 0; i < 3; ++i) backend_->repeat(recording, [&] { chain(far_, order); });
    EXPECT_TRUE(result(thrice) == expected) << "turn " << turn;
  }
}

}  // namespace
}  // namespace octet
