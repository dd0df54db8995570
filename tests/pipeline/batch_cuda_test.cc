// The running batch on a GPU: in FP32 the bytes of requests that are alone, else how near they
// come. Skipped where no GPU is usable.
#include <cmath>
#include <list>

#include "backend/cuda/cuda_backend.h"
#include "engine/embedded.h"
#include "pipeline/batch_guest.h"
#include "pipeline/golden_model.h"
#include "pipeline/running_batch.h"

// Keeps the built-in model out of a program that is carried to other machines.
std::span<const octet::EmbeddedModel> octet::embedded_models() { return {}; }

namespace octet::test {
namespace {

struct Case {
  const char* name;
  const char* arch;
  std::optional<std::string> variant;
  const char* compute;
  double psnr;  // at least; infinity: the same bytes
};

const Case kCases[] = {{"medium3_f32", "sd3-medium", {}, "f32", INFINITY},
                       {"medium35_f32", "sd35-medium", {}, "f32", INFINITY},
                       {"large_f32", "sd35-large", "fp16", "f32", INFINITY},
                       {"large_fp8_f32", "sd35-large", "fp8", "f32", INFINITY},
                       {"medium3_bf16", "sd3-medium", {}, "bf16", 35},
                       {"medium35_bf16", "sd35-medium", {}, "bf16", 35},
                       {"large_w8a16", "sd35-large", "fp8", "w8a16", 35},
                       {"large_fp8", "sd35-large", "fp8", "fp8", 30}};

double psnr(const Picture& a, const Picture& b) {
  EXPECT_EQ(a.rgb.size(), b.rgb.size());
  double sum = 0;
  for (std::size_t i = 0; i < a.rgb.size(); ++i) sum += std::pow(a.rgb[i] - b.rgb[i], 2);
  return sum == 0 ? INFINITY : 10 * std::log10(255 * 255 * static_cast<double>(a.rgb.size()) / sum);
}

class BatchCuda : public ::testing::TestWithParam<Case> {};

TEST_P(BatchCuda, IsLikeAlone) {
  std::unique_ptr<Backend> device;
  try {
    device = make_cuda_backend();
  } catch (const Error& e) {
    GTEST_SKIP() << e.what();
  }
  const Case& c = GetParam();
  const GoldenModel model(c.arch, c.compute, c.variant, std::move(device));
  const Models& models = model.loaded.models;
  const DType stream = model.backend->stream_dtype(model.loaded.transformer_compute);
  RunningBatch batch(*model.backend, models, stream, {.max_pictures = 4});
  std::mt19937 random(5);
  std::list<Guest> guests;
  while (guests.size() < 16 || !batch.idle()) {
    if (guests.size() < 16 && random() % 2 == 0) {
      guests.push_back({.request = random_request(random)});
      guests.back().join(batch);
    }
    if (random() % 4 == 0) batch.ask_preview(guests.size());
    batch.step();
  }
  double worst = INFINITY;
  for (const Guest& guest : guests) {
    ASSERT_TRUE(guest.result) << guest.error->what();
    const Alone a = alone(*model.backend, models, guest.request, stream);
    EXPECT_EQ(guest.progress, a.progress);
    for (std::size_t i = 0; i < a.result.pictures.size(); ++i) {
      worst = std::min(worst, psnr(guest.result->pictures[i], a.result.pictures[i]));
    }
  }
  std::printf("%s: worst PSNR %.1f dB\n", c.name, worst);
  EXPECT_GE(worst, c.psnr);
}

INSTANTIATE_TEST_SUITE_P(Computes, BatchCuda, ::testing::ValuesIn(kCases),
                         [](const auto& param_info) { return std::string(param_info.param.name); });

}  // namespace
}  // namespace octet::test
