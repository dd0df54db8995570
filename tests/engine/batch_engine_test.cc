// Engine::start_batch on the model of the program, in every compute type, against Engine::generate.
#include <gtest/gtest.h>

#include <list>

#include "octet/engine.h"
#include "pipeline/batch_guest.h"

namespace octet {
namespace {

using test::Guest;

class EmojiBatch : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Engine, EmojiBatch, testing::Values("f32", "bf16", "w8a16", "fp8"));

TEST_P(EmojiBatch, RandomRequestsAreAsTheyAreAlone) {
  Engine engine({.model = "emoji", .compute = GetParam(), .threads = 2});
  const auto batch = engine.start_batch({.max_pictures = 3});
  std::mt19937 random(23);
  std::list<Guest> guests;
  while (guests.size() < 7 || !batch->idle()) {
    if (guests.size() < 7) {
      guests.push_back({.request = test::random_request(random)});
      guests.back().request.height = 32;  // one size: all may share the batch
      guests.back().join(*batch);
    }
    if (random() % 4 == 0) batch->ask_preview(guests.size());
    if (random() % 20 == 0) batch->cancel(guests.size());
    batch->step();
  }
  int finished = 0;
  for (const Guest& guest : guests) {
    EXPECT_EQ(guest.ends, 1);
    if (!guest.result) continue;
    ++finished;
    const GenerateResult alone = engine.generate(guest.request, {});
    ASSERT_EQ(guest.result->pictures.size(), alone.pictures.size());
    for (std::size_t i = 0; i < alone.pictures.size(); ++i) {
      EXPECT_EQ(guest.result->pictures[i].rgb, alone.pictures[i].rgb) << guest.request.prompt;
    }
  }
  EXPECT_GE(finished, 5);
}

}  // namespace
}  // namespace octet
