// Synthetic models: names, the published sizes, and a whole prompt to picture on tiny ones.
#include <gtest/gtest.h>

#include <map>

#include "backend/null/null_backend.h"
#include "checkpoint/safetensors.h"
#include "engine/loading.h"
#include "engine/synthetic_model.h"
#include "octet/engine.h"
#include "pipeline/generate.h"
#include "pipeline/settings.h"
#include "support/errors.h"

namespace octet {
namespace {

using test::expect_error;

std::uint64_t values(const FileSet& files, const std::string& file) {
  const SafetensorsFile weights(files.open(file));
  std::uint64_t sum = 0;
  for (const auto& [name, info] : weights.tensors()) {
    if (name.ends_with("_scale")) continue;
    sum += info.bytes / size_of(*info.dtype);
  }
  return sum;
}

// Counts of the published transformer files, position table included.
TEST(Synthetic, HasThePublishedSizes) {
  const std::map<std::string, std::uint64_t> transformers = {
      {"sd3.5-large", 8146280768}, {"sd3.5-medium", 2469663936}, {"sd3-medium", 2084951104}};
  for (const auto& [name, count] : transformers) {
    for (const char* precision : {"", "@bf16", "@fp8", "@fp8-static"}) {
      const auto files = open_synthetic(kSyntheticPrefix + name + precision);
      EXPECT_EQ(values(*files, "transformer/diffusion_pytorch_model.safetensors"), count) << name;
    }
  }
  const auto files = open_synthetic("synthetic:sd3.5-large");
  EXPECT_EQ(values(*files, "vae/diffusion_pytorch_model.safetensors"), 83819683u);
  EXPECT_EQ(values(*files, "text_encoder/model.safetensors"), 123060480u);
  EXPECT_EQ(values(*files, "text_encoder_2/model.safetensors"), 693021440u + 1638400u);
  EXPECT_EQ(values(*files, "text_encoder_3/model.safetensors"), 4762310656u);
}

TEST(Synthetic, ReadsAreTheSameInAnyPieces) {
  const auto files = open_synthetic("synthetic:sd3.5-medium-tiny@fp8");
  const auto source = files->open("transformer/diffusion_pytorch_model.safetensors");
  std::vector<std::byte> whole(source->size());
  source->read(0, whole);
  std::vector<std::byte> pieces(whole.size());
  for (std::size_t at = 0, n = 1; at < pieces.size(); at += n, n = n * 3 + 1) {
    n = std::min(n, pieces.size() - at);
    source->read(at, std::span(pieces).subspan(at, n));
  }
  EXPECT_EQ(whole, pieces);
  expect_error(Code::kIo, "range",
               [&] { source->read(whole.size() - 1, std::span(pieces).first(2)); });
}

TEST(Synthetic, DrawsAPicture) {
  for (const char* name : {"sd3.5-large-tiny", "sd3.5-medium-tiny@bf16", "sd3-medium-tiny@fp8"}) {
    Engine engine({.model = std::string(kSyntheticPrefix) + name, .threads = 2});
    const GenerateRequest request{
        .prompt = "red \xC3\xA9", .steps = 2, .seed = 1, .width = 64, .height = 48};
    const GenerateResult result = engine.generate(request, {});
    ASSERT_EQ(result.pictures.size(), 1u) << name;
    std::map<std::uint8_t, int> levels;
    for (const std::uint8_t v : result.pictures[0].rgb) ++levels[v];
    EXPECT_GT(levels.size(), 100u) << name << ": activations have a sane scale";
    EXPECT_EQ(result.pictures[0].rgb, engine.generate(request, {}).pictures[0].rgb) << name;
  }
}

TEST(Synthetic, ComputesInEightBitsWhenItSaysSo) {
  const Engine fp8({.model = "synthetic:sd3.5-large-tiny@fp8", .compute = "fp8"});
  EXPECT_EQ(fp8.model().components.at(0).stored, "F8_E4M3");
  EXPECT_EQ(fp8.model().components.at(0).compute, "fp8");
  expect_error(Code::kInvalidArgument, "compute: fp8",
               [] { Engine({.model = "synthetic:sd3.5-large-tiny@bf16", .compute = "fp8"}); });
}

// The planner's backend reads nothing, so the largest model is there in no time.
TEST(Synthetic, FullSizeIsPlannedWithoutReadingIt) {
  const auto null = make_null_backend({.stream = DType::kBF16});
  const ModelFolder folder(open_synthetic("synthetic:sd3.5-large@fp8"));
  const LoadedModel loaded = load_model(folder, *null, {}, "fp8");
  const GenerateRequest request{.prompt = "x", .seed = 1};
  const UsedSettings settings = resolve_settings(request, loaded.models);
  const std::size_t bytes = plan_activations(loaded.models, request, settings, DType::kBF16);
  EXPECT_EQ(settings.width, 1024);
  EXPECT_GT(bytes, std::size_t{1} << 30);
  EXPECT_LT(bytes, std::size_t{4} << 30);
}

TEST(Synthetic, FormulasAreKnownToBackends) {
  const auto files = open_synthetic("synthetic:sd3.5-large-tiny@fp8");
  const SafetensorsFile file(files->open("transformer/diffusion_pytorch_model.safetensors"));
  for (const auto& [name, info] : file.tensors()) {
    ASSERT_NE(file.formula(info), nullptr) << name;
    std::vector<std::byte> computed(info.bytes);
    fill_random(*file.formula(info), 0, computed);
    ASSERT_EQ(file.read(info), computed) << name;
  }
}

TEST(Synthetic, RefusesOtherNames) {
  for (const char* name :
       {"synthetic:", "synthetic:flux", "synthetic:sd3.5-large@fp4", "synthetic:sd3.5-large@",
        "synthetic:-tiny", "synthetic:sd3.5-large-tiny-tiny", "synthetic:sd3.5-large@fp8@bf16"}) {
    expect_error(Code::kInvalidArgument, "sd3.5-large, sd3.5-medium, sd3-medium",
                 [&] { (void)open_synthetic(name); });
  }
}

}  // namespace
}  // namespace octet
