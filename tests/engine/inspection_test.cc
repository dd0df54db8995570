// Inspection: what it says of models that work, and that it finds every problem of those that do
// not, without reading weights.
#include <gtest/gtest.h>

#include <filesystem>

#include "octet/inspect.h"
#include "support/errors.h"
#include "support/temp_folder.h"
#include "support/tiny_pipeline.h"

namespace octet {
namespace {

using test::bytes_of;
using test::expect_error;

const std::string kVae = "vae/diffusion_pytorch_model.safetensors";
const std::string kPlain = "transformer/diffusion_pytorch_model.safetensors";
const std::string kFp8 = "transformer/diffusion_pytorch_model.fp8.safetensors";

class Inspected : public testing::Test {
 protected:
  ModelInspection inspect(std::map<std::string, test::Bytes> files) {
    std::filesystem::remove_all(folder_.path() + "/m");
    for (const auto& [name, bytes] : files) folder_.write("m/" + name, bytes);
    return inspect_model({.model = folder_.path() + "/m"});
  }
  test::TempFolder folder_;
};

const ComponentInfo& part(const ModelInspection& i, const std::string& name) {
  for (const ComponentInfo& c : i.model.components) {
    if (c.name == name) return c;
  }
  throw std::runtime_error("no part " + name);
}

TEST_F(Inspected, AModelThatWorks) {
  const auto files = test::tiny_folder({.fp8 = true});
  const ModelInspection i = inspect(files);
  EXPECT_EQ(i.problems, std::vector<std::string>{});
  EXPECT_EQ(i.notes, std::vector<std::string>{});
  EXPECT_EQ(i.layout, "diffusers folder");
  EXPECT_NE(i.architecture.find("sd3.5-large"), std::string::npos) << i.architecture;
  EXPECT_NE(i.told_by.find("2 blocks of width 128, q/k norms yes"), std::string::npos) << i.told_by;
  EXPECT_EQ(i.model.variant, "fp8");
  EXPECT_EQ(i.files, files.size());
  EXPECT_EQ(i.model.components.size(), 5u);
  const ComponentInfo& t = part(i, "transformer");
  EXPECT_EQ(t.stored, "F8_E4M3");
  EXPECT_GE(t.dtypes.size(), 2u);
  EXPECT_NE(t.scales.find("per row ("), std::string::npos) << t.scales;
  EXPECT_GT(t.lowest_scale, 0);
  EXPECT_GT(t.highest_scale, t.lowest_scale);
  std::uint64_t weights = 0;
  for (const ComponentInfo& c : i.model.components) weights += c.bytes;
  EXPECT_LT(weights, i.bytes);
}

TEST_F(Inspected, WeightsAreNotRead) {
  auto files = test::tiny_folder({});
  const ModelInspection i = inspect(files);
  // A hole behind the header: the same file to whoever does not read values.
  const std::size_t header = 8 + std::to_integer<std::size_t>(files[kVae][0]) +
                             (std::to_integer<std::size_t>(files[kVae][1]) << 8) +
                             (std::to_integer<std::size_t>(files[kVae][2]) << 16);
  const std::size_t size = files[kVae].size();
  files[kVae].resize(header);
  folder_.write("m/" + kVae, files[kVae]);
  std::filesystem::resize_file(folder_.path() + "/m/" + kVae, size);
  const ModelInspection holes = inspect_model({.model = folder_.path() + "/m"});
  EXPECT_EQ(holes.problems, i.problems);
  EXPECT_EQ(part(holes, "vae").bytes, part(i, "vae").bytes);
}

TEST_F(Inspected, EveryProblemIsFound) {
  auto files = test::tiny_folder({.fp8 = true});
  files[kVae].pop_back();
  files["text_encoder/model.safetensors"] = bytes_of("PK\x03\x04 zip of a pickle");
  files.erase("text_encoder_2/model.safetensors");
  files["tokenizer/vocab.json"] = bytes_of("{");
  files["text_encoder_3/model.safetensors"] = test::safetensors_of(test::clip_tensors({}));
  const ModelInspection i = inspect(files);
  const char* expected[] = {kVae.c_str(), "pickle", "text_encoder_2: expected safetensors",
                            "vocab.json", "text_encoder_3"};
  ASSERT_EQ(i.problems.size(), std::size(expected)) << testing::PrintToString(i.problems);
  for (const char* what : expected) {
    bool found = false;
    for (const std::string& p : i.problems) found = found || p.find(what) != std::string::npos;
    EXPECT_TRUE(found) << what << " is not in " << testing::PrintToString(i.problems);
  }
  EXPECT_EQ(part(i, "transformer").stored, "F8_E4M3") << "the sound part is described";
  EXPECT_TRUE(i.memory.empty());
}

TEST_F(Inspected, PartsThatDoNotFitEachOther) {
  auto files = test::tiny_folder({});
  files[kPlain] =
      test::safetensors_of(test::as_dtype(test::mmdit_tensors({.channels = 4}), DType::kF16));
  const ModelInspection i = inspect(files);
  ASSERT_EQ(i.problems.size(), 1u);
  EXPECT_NE(i.problems[0].find("latent channels: expected 4"), std::string::npos) << i.problems[0];
  EXPECT_EQ(i.model.components.size(), 5u);
}

TEST_F(Inspected, UnscaledFp8IsDecidedAtLoad) {
  auto files = test::tiny_folder({});
  files[kPlain] = test::safetensors_of(test::as_dtype(test::mmdit_tensors({}), DType::kF8E4M3));
  const ModelInspection i = inspect(files);
  EXPECT_EQ(i.problems, std::vector<std::string>{});
  ASSERT_EQ(i.notes.size(), 1u);
  EXPECT_NE(i.notes[0].find("Decided at load"), std::string::npos);
}

TEST_F(Inspected, FilesThatEveryUserMayChange) {
  namespace fs = std::filesystem;
  (void)inspect(test::tiny_folder({}));
  const std::string model = folder_.path() + "/m";
  for (const char* file : {"vae/config.json", kVae.c_str()}) {
    fs::permissions(model + "/" + file, fs::perms::others_write, fs::perm_options::add);
  }
  const ModelInspection i = inspect_model({.model = model});
  ASSERT_EQ(i.notes.size(), 1u);
  EXPECT_NE(i.notes[0].find("2 files of the model (" + model + "/vae/config.json)"),
            std::string::npos)
      << i.notes[0];
  EXPECT_EQ(i.problems, std::vector<std::string>{});
  EXPECT_EQ(Engine({.model = model, .threads = 1}).model().warnings, i.notes);
}

TEST_F(Inspected, MemoryGrowsWithSizeAndShrinksWithOffload) {
  const ModelInspection i = inspect_model({.model = "synthetic:sd3.5-large"});
  ASSERT_EQ(i.memory.size(), 6u);
  for (const MemoryEstimate& m : i.memory) {
    EXPECT_EQ(m.problem, "");
    EXPECT_GT(m.none, m.activations);
    EXPECT_GT(m.activations, 0u);
    if (m.device == "cpu") {
      EXPECT_EQ(m.text + m.all + m.least, 0u) << "nothing leaves where there is one memory";
      continue;
    }
    EXPECT_GT(m.none, m.text + 5'000'000'000u) << "T5";
    EXPECT_GT(m.text, m.all + 5'000'000'000u) << "modulation";
    EXPECT_GT(m.all, m.least + 5'000'000'000u) << "blocks";
    EXPECT_GT(m.least, m.activations);
  }
  EXPECT_LT(i.memory[0].activations, i.memory[1].activations);
  EXPECT_LT(i.memory[1].activations, i.memory[2].activations);
  EXPECT_LT(i.memory[3].activations, i.memory[0].activations) << "16 bit between layers on a GPU";
}

TEST_F(Inspected, SizesThatAreRefusedSaySo) {
  const ModelInspection i = inspect_model({.model = "emoji"});
  ASSERT_EQ(i.memory.size(), 6u);
  EXPECT_EQ(i.memory[0].problem, "");
  EXPECT_NE(i.memory[1].problem.find("width: expected"), std::string::npos);
}

TEST(Inspection, WhereThereIsNoModel) {
  expect_error(Code::kIo, "no such path", [] { (void)inspect_model({.model = "absent/x"}); });
  const test::TempFolder folder;
  expect_error(Code::kModelMismatch, "model_index.json",
               [&] { (void)inspect_model({.model = folder.path()}); });
}

}  // namespace
}  // namespace octet
