// Presets: what is asked for, else what the model says of itself, else Large; and it is said.
#include "engine/preset.h"

#include <gtest/gtest.h>

#include "backend/null/null_backend.h"
#include "engine/loading.h"
#include "support/errors.h"
#include "support/layouts.h"
#include "support/tiny_pipeline.h"

namespace octet {
namespace {

using test::bytes_of;
using test::expect_error;
using Files = std::map<std::string, test::Bytes>;

LoadedModel load(const Files& files, const std::optional<std::string>& preset = {},
                 const std::string& location = "memory/model") {
  const ModelFolder folder(std::make_unique<test::MemoryFiles>(files, location),
                           {.preset = preset});
  const auto backend = make_null_backend({});
  return load_model(folder, *backend, {}, "auto");
}

void expect_settings(const LoadedModel& m, int steps, float guidance, const std::string& said) {
  EXPECT_EQ(m.models.defaults.steps, steps);
  EXPECT_EQ(m.models.defaults.guidance, guidance);
  EXPECT_EQ(m.models.defaults.schedule, "normal");
  EXPECT_EQ(m.info.preset, said);
}

TEST(Preset, LargeUnlessSomethingSaysTurbo) {
  const Files large = test::tiny_folder({});
  expect_settings(load(large), 40, 4.5f,
                  "sd3.5-large (nothing says turbo; if it is one: --preset large-turbo)");
  expect_settings(load(large, "large"), 40, 4.5f, "sd3.5-large (asked for)");
  expect_settings(load(large, "large-turbo"), 4, 1, "sd3.5-large-turbo (asked for)");
  Files turbo = large;
  turbo["model_index.json"] =
      bytes_of(R"({"_name_or_path": "x/stable-diffusion-3.5-large-Turbo"})");
  const char* told = "sd3.5-large-turbo (the model's name or title says turbo)";
  expect_settings(load(turbo), 4, 1, told);
  expect_settings(load(turbo, "large"), 40, 4.5f, "sd3.5-large (asked for)");
  turbo = large;
  const test::TensorMap mmdit = test::as_dtype(test::mmdit_tensors({}), DType::kF16);
  turbo["transformer/diffusion_pytorch_model.safetensors"] =
      test::safetensors_of(mmdit, {{"modelspec.title", "SD 3.5 Large Turbo"}});
  expect_settings(load(turbo), 4, 1, told);
}

// Folders above the model are the user's and say nothing; a download cache names the model there.
TEST(Preset, OnlyTheModelsOwnFolderNamesIt) {
  const Files large = test::tiny_folder({});
  const auto name = [&](const char* location) {
    const std::string said = load(large, {}, location).info.preset;
    return said.substr(0, said.find(' '));
  };
  EXPECT_EQ(name("/store/turbo/model"), "sd3.5-large");
  EXPECT_EQ(name("/store/turbo/snapshots.old/model/"), "sd3.5-large");
  EXPECT_EQ(name("/store/turbo/../model/."), "sd3.5-large");
  EXPECT_EQ(name("/store/models/sd3.5-Large-Turbo"), "sd3.5-large-turbo");
  EXPECT_EQ(name("/store/models/sd3.5-large-turbo///"), "sd3.5-large-turbo");
  EXPECT_EQ(name("sd3.5-large-turbo/."), "sd3.5-large-turbo");
  EXPECT_EQ(name("/hub/models--x--sd3.5-large-turbo/snapshots/ec07796f"), "sd3.5-large-turbo");
  EXPECT_EQ(name("/turbo/models--x--sd3.5-large/snapshots/b940f670"), "sd3.5-large");
}

TEST(Preset, ShapesTellTheOthers) {
  const Files medium = test::tiny_folder({.family = test::Family::kSd35Medium});
  expect_settings(load(medium), 40, 4.5f, "sd3.5-medium (by its shapes)");
  expect_settings(load(medium, "medium"), 40, 4.5f, "sd3.5-medium (asked for)");
  expect_settings(load(test::tiny_folder({.family = test::Family::kSd3Medium})), 28, 7,
                  "sd3-medium (by its shapes)");
  expect_error(Code::kInvalidArgument, "preset: expected medium for a model of these shapes",
               [&] { (void)load(medium, "large-turbo"); });
  for (const char* other : {"medium", "turbo", ""}) {
    expect_error(Code::kInvalidArgument, "preset: expected large or large-turbo",
                 [&] { (void)load(test::tiny_folder({}), other); });
  }
}

TEST(Preset, TheModelsOwnSettingsHoldUnlessOneIsAskedFor) {
  Files files = test::tiny_folder({});
  files["octet.json"] = bytes_of(R"({"steps": 7, "guidance": 1.5, "schedule": "simple"})");
  EXPECT_EQ(load(files).models.defaults.schedule, "simple");
  EXPECT_EQ(load(files).models.defaults.steps, 7);
  EXPECT_EQ(load(files).models.defaults.guidance, 1.5f);
  EXPECT_EQ(load(files).info.preset, "the model's own (octet.json)");
  expect_settings(load(files, "large-turbo"), 4, 1, "sd3.5-large-turbo (asked for)");
}

}  // namespace
}  // namespace octet
