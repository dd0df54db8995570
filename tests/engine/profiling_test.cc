// Counted and measured work of whole requests.
#include "engine/profiling.h"

#include <gtest/gtest.h>

#include <map>

#include "backend/cpu/cpu_backend.h"
#include "backend/null/null_backend.h"
#include "engine/loading.h"
#include "engine/synthetic_model.h"
#include "octet/engine.h"
#include "pipeline/settings.h"

namespace octet {
namespace {

double flops_of(const Profile& profile, const std::string& stage) {
  double flops = 0;
  for (const OpRow& row : profile.rows) flops += row.stage == stage ? row.flops : 0;
  return flops;
}

// The published arithmetic of one guided step at 1024x1024 with 333 text tokens (62.2 and 22.5
// TFLOP without embedders), and of the decoder (10.47).
TEST(CountWork, AgreesWithTheArithmeticOfTheModels) {
  const std::map<std::string, double> steps = {{"sd3.5-large", 62.2e12}, {"sd3.5-medium", 22.5e12}};
  for (const auto& [name, expected] : steps) {
    const auto null = make_null_backend({.stream = DType::kBF16});
    const ModelFolder folder(open_synthetic(kSyntheticPrefix + name));
    const LoadedModel loaded = load_model(folder, *null, {}, "fp8");
    const GenerateRequest request{.prompt = "x", .steps = 2, .seed = 1};
    const Profile work =
        count_work(loaded.models, request, resolve_settings(request, loaded.models), DType::kBF16);
    EXPECT_EQ(work.steps, 2);
    EXPECT_NEAR(flops_of(work, "denoise") / 2, expected, 0.01 * expected) << name;
    EXPECT_NEAR(flops_of(work, "decode"), 10.47e12, 0.02e12);
    EXPECT_NEAR(flops_of(work, "text"), 2 * (2.4e12 + 0.026e12 / 2 + 0.19e12 / 2), 0.1e12);
    EXPECT_GT(flops_of(work, "modulation"), 0);
  }
}

TEST(MeasureOps, TimesWhatIsCounted) {
  Engine engine({.model = "synthetic:sd3.5-medium-tiny", .threads = 2});
  const GenerateRequest request{.prompt = "x", .steps = 2, .seed = 1, .width = 64, .height = 64};
  const Profile counted = engine.count(request);
  const Profile measured = engine.profile(request);
  ASSERT_EQ(measured.rows.size(), counted.rows.size());
  std::map<std::string, OpRow> rows;
  for (const OpRow& r : counted.rows) rows[r.stage + r.op + r.shape] = r;
  double last = measured.rows.front().seconds;
  for (const OpRow& r : measured.rows) {
    const OpRow& same = rows[r.stage + r.op + r.shape];
    EXPECT_EQ(r.calls, same.calls) << r.op << r.shape;
    EXPECT_EQ(r.flops, same.flops) << r.op << r.shape;
    EXPECT_EQ(r.bytes, same.bytes) << r.op << r.shape;
    EXPECT_GT(r.seconds, 0) << r.op;
    EXPECT_LE(r.seconds, last) << "longest first";
    last = r.seconds;
  }
  EXPECT_GT(measured.ceilings.copy_bytes_per_second, 0);
  EXPECT_GT(measured.ceilings.f32_flops_per_second, 0);
  EXPECT_GT(measured.ceilings.bf16_flops_per_second, 0);
  EXPECT_EQ(measured.ceilings.fp8_flops_per_second, 0) << "nothing here computes in FP8";
}

}  // namespace
}  // namespace octet
