// Whole runs on a small random model: the same bytes however they are computed, a gate that passes
// what is right and refuses what is not, and nothing left behind.
#include "quantize/session.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "backend/cpu/cpu_backend.h"
#include "checkpoint/tensor_file.h"
#include "engine/backend_registry.h"
#include "octet/lock.h"
#include "quantize/overlay_files.h"
#include "support/errors.h"
#include "support/layouts.h"
#include "support/temp_folder.h"
#include "support/tiny_models.h"
#include "support/tiny_pipeline.h"
#include "text/clip_vocabulary.h"

namespace octet {
namespace {

namespace fs = std::filesystem;

std::string content(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// A model folder on disk, and options that quantise it in a second.
class Quantisation : public testing::Test {
 protected:
  Quantisation() {
    for (const auto& [name, bytes] : test::tiny_folder({})) folder_.write("model/" + name, bytes);
    fs::create_directory(folder_.path() + "/out");
    options_ = {.model = folder_.path() + "/model",
                .calibration = {"a small red cat", "two dogs", "a house"},
                .holdout = {"a blue bird", "an apple on a table"},
                .out = out("fp8.safetensors"),
                .calibration_steps = 2,
                .gate_steps = 2,
                .width = 32,
                .height = 48,
                .threads = 2};
    // Random weights know no pictures: the smallest change of a layer is a change of everything.
    options_.limits = {.psnr = 15, .ssim = 0.5, .gmsd = 0.3};
  }
  [[nodiscard]] std::string out(const std::string& name) const {
    return folder_.path() + "/out/" + name;
  }
  [[nodiscard]] bool nothing_written() const { return fs::is_empty(folder_.path() + "/out"); }

  QuantizeReport run(CpuIsa isa = CpuIsa::kAuto) {
    return run_quantization(options_, hooks_, [&] {
      return make_cpu_backend({.threads = options_.threads, .isa = isa});
    });
  }
  /// The good file, once for all tests.
  const std::string& good() {
    static const std::string bytes = [this] {
      options_.candidate.clear();
      EXPECT_TRUE(run().written);
      const std::string made = content(options_.out);
      fs::remove(options_.out);
      return made;
    }();
    return bytes;
  }

  test::TempFolder folder_;
  QuantizeOptions options_;
  QuantizeHooks hooks_;
};

TEST_F(Quantisation, MakesAFileThatIsJudgedAndSaysSo) {
  const QuantizeReport r = run();
  EXPECT_TRUE(r.failures.empty()) << r.failures.at(0);
  ASSERT_TRUE(r.written);
  ASSERT_EQ(r.pictures.size(), 2u);
  for (const PictureReport& p : r.pictures) {
    EXPECT_LT(p.psnr, 60) << "as if a picture had been compared with itself";
    EXPECT_LT(p.ssim, 0.9999);
    EXPECT_GT(p.gmsd, 0.0001);
  }
  EXPECT_EQ(r.pictures[1].prompt, "an apple on a table");
  EXPECT_EQ(r.pictures[1].seed, 1u);
  EXPECT_EQ(r.layers.size(), 13u) << "8 groups, and 5 of the last block";
  for (const LayerReport& l : r.layers) {
    if (!l.quantised) continue;
    EXPECT_GT(l.amax, 0) << l.name;
    EXPECT_GE(l.amax, l.percentile) << l.name;
    EXPECT_FLOAT_EQ(*l.input_scale, l.amax / 448) << l.name;
    EXPECT_GT(l.output_error, 0.005) << l.name;
    EXPECT_LT(l.output_error, 0.08) << l.name;
    EXPECT_LT(l.weight_error, 0.05) << l.name;
    EXPECT_GT(l.inputs, 0u) << l.name;
  }
  const auto file = open_tensor_file(open_file(options_.out));
  const auto json = nlohmann::json::parse(file->metadata().at("octet.quantization"));
  EXPECT_EQ(json.dump(), nlohmann::json::parse(r.json).dump());
  EXPECT_EQ(json["gate"]["passed"], true);
  EXPECT_EQ(json["calibration"]["prompts"], 3);
  EXPECT_EQ(json["calibration"]["steps"], 2);
  EXPECT_EQ(json["held_out"]["prompts"], 2);
  EXPECT_EQ(json["layers"].size(), r.layers.size());
  EXPECT_EQ(r.json.find("blue bird"), std::string::npos) << "prompts are not published";
}

TEST_F(Quantisation, SameBytesForAnyThreadsAndInstructionSet) {
  for (const CpuIsa isa : supported_isas()) {
    // The generic set rounds products before adding; AVX512-BF16 adds FP8 products in pairs.
    if (isa == CpuIsa::kGeneric || isa == CpuIsa::kAvx512Bf16) continue;
    for (const int threads : {1, 3}) {
      options_.threads = threads;
      ASSERT_TRUE(run(isa).written);
      const std::string made = content(options_.out);
      options_.out = out("again.safetensors");
      ASSERT_TRUE(run(CpuIsa::kAvx2).written);
      EXPECT_TRUE(made == content(options_.out)) << name_of(isa) << " with " << threads;
    }
  }
}

TEST_F(Quantisation, TheWrittenFilePassesTheGateAgain) {
  std::ofstream(out("candidate.safetensors"), std::ios::binary) << good();
  options_.candidate = out("candidate.safetensors");
  const QuantizeReport r = run();
  EXPECT_TRUE(r.failures.empty()) << r.failures.at(0);
  EXPECT_FALSE(r.written);
  EXPECT_EQ(r.file, options_.candidate);
}

// A single file under Stability's names, its parts beside it, held to a lock, becomes what the same
// model in a folder becomes. Sizes are those that files without configs can have.
TEST_F(Quantisation, ASingleFileWithItsPartsAndItsLock) {
  const test::TensorMap mmdit = test::mmdit_tensors(
      {.family = test::Family::kSd35Medium, .depth = 2, .text_width = 192, .pooled_width = 192});
  const std::map<std::string, test::Bytes> parts = {
      {"text_encoder/model.safetensors",
       test::safetensors_of(
           test::clip_tensors({.vocabulary = 49408, .width = 64, .hidden = 64, .layers = 2}, 2))},
      {"text_encoder_2/model.safetensors",
       test::safetensors_of(test::clip_tensors(
           {.vocabulary = 49408, .width = 128, .hidden = 64, .layers = 2, .projection = 128}, 5))},
      {"vae/diffusion_pytorch_model.safetensors",
       test::safetensors_of(test::vae_tensors({.widths = {32, 32, 32, 64}}))}};
  for (const auto& [name, bytes] : parts) folder_.write("folder/" + name, bytes);
  folder_.write("folder/model_index.json", test::bytes_of("{}"));
  folder_.write("folder/text_encoder/config.json",
                test::bytes_of(R"({"hidden_act": "quick_gelu"})"));
  const auto tokenizer = [&](const std::string& name, ClipPadding padding) {
    for (const auto& [file, text] : clip_tokenizer_files(padding).contents) {
      folder_.write("folder/" + name + "/" + file, test::bytes_of(text));
    }
  };
  tokenizer("tokenizer", ClipPadding::kEndOfText);
  tokenizer("tokenizer_2", ClipPadding::kZero);
  folder_.write("folder/transformer/diffusion_pytorch_model.safetensors",
                test::safetensors_of(mmdit));
  options_.accept_quality_loss = true;  // what is compared is how it is read
  options_.model = folder_.path() + "/folder";
  ASSERT_TRUE(run().written);
  const auto expected = open_tensor_file(open_file(options_.out));

  const auto part = [&](const std::string& name) { return folder_.path() + "/folder/" + name; };
  options_.model = folder_.write(
      "mmdit.safetensors", test::safetensors_of(test::prefixed(test::single_file_mmdit(mmdit, 2),
                                                               "model.diffusion_model.")));
  test::expect_error(Code::kModelMismatch, "give --vae FILE", [&] { (void)run(); });
  options_.parts = {.clip_l = part("text_encoder/model.safetensors"),
                    .clip_g = part("text_encoder_2/model.safetensors"),
                    .vae = part("vae/diffusion_pytorch_model.safetensors")};
  options_.out = out("single.safetensors");
  const EngineOptions source{.model = options_.model, .parts = options_.parts};
  options_.lock = folder_.write("octet.lock", test::bytes_of(lock_model(source, {})));
  const QuantizeReport report = run();
  ASSERT_TRUE(report.written) << testing::PrintToString(report.failures);
  const auto made = open_tensor_file(open_file(options_.out));
  ASSERT_EQ(made->tensors().size(), expected->tensors().size());
  for (const auto& [name, info] : expected->tensors()) {
    ASSERT_EQ(made->tensors().count(name), 1u) << name;
    EXPECT_EQ(made->read(made->tensors().at(name)), expected->read(info)) << name;
  }
  std::swap(options_.parts.clip_l, options_.parts.clip_g);
  test::expect_error(Code::kRefused, "text_encoder/model.safetensors: size: locked",
                     [&] { (void)run(); });
}

/// The good file with one tensor's FP32 values multiplied, or with tensors left out.
class Tampered : public Quantisation {
 protected:
  void multiply(const std::string& tensor, float factor, std::size_t first = 0,
                std::size_t count = SIZE_MAX) {
    std::string bytes = good();
    std::uint64_t length = 0;
    std::memcpy(&length, bytes.data(), sizeof length);
    const auto header = nlohmann::json::parse(bytes.substr(8, length));
    const std::size_t begin = header[tensor]["data_offsets"][0];
    const std::size_t end = header[tensor]["data_offsets"][1];
    for (std::size_t i = first; i < std::min(first + count, (end - begin) / 4); ++i) {
      float value = 0;
      char* at = bytes.data() + 8 + length + begin + 4 * i;
      std::memcpy(&value, at, sizeof value);
      value *= factor;
      std::memcpy(at, &value, sizeof value);
    }
    write(bytes);
  }
  void drop(const std::string& end) {
    std::ofstream(out("whole"), std::ios::binary) << good();
    const auto file = open_tensor_file(open_file(out("whole")));
    test::TensorMap kept;
    for (const auto& [name, info] : file->tensors()) {
      if (name.ends_with(end)) continue;
      kept[name] = {.dtype = info.dtype_name, .dims = info.dims, .data = file->read(info)};
    }
    folder_.write("out/candidate.safetensors", test::safetensors_of(kept));
    options_.candidate = out("candidate.safetensors");
  }
  void write(const std::string& bytes) {
    options_.candidate = out("candidate.safetensors");
    std::ofstream(options_.candidate, std::ios::binary) << bytes;
  }
  void expect_refused(const std::string& why) {
    const QuantizeReport r = run();
    const bool said = std::any_of(r.failures.begin(), r.failures.end(), [&](const std::string& f) {
      return f.find(why) != std::string::npos;
    });
    EXPECT_TRUE(said) << why << ": " << (r.failures.empty() ? "passed" : r.failures.at(0));
  }
  const std::string layer_ = "transformer_blocks.1.attn.to_out.0";
};

TEST_F(Tampered, WeightScalesRemoved) {
  drop(".weight_scale");
  expect_refused("the candidate cannot be used");
}

TEST_F(Tampered, SomeInputScalesRemoved) {
  drop(layer_ + ".input_scale");
  expect_refused("input scales: expected for all or none of 13 FP8 layers, found 12");
  drop(".input_scale");
  EXPECT_TRUE(run().failures.empty()) << "scales per token are a scheme of their own";
}

TEST_F(Tampered, OneWeightScaleTenTimesWrong) {
  for (const float factor : {10.0f, 0.1f}) {
    multiply(layer_ + ".weight_scale", factor);
    expect_refused("weight error: expected at most 0.1");
    expect_refused(layer_);
  }
}

TEST_F(Tampered, OneRowsScaleTenTimesWrong) {
  multiply(layer_ + ".weight_scale", 10, 77, 1);
  expect_refused("weight error: expected at most 0.1");
}

TEST_F(Tampered, OneInputScaleTenTimesWrong) {
  multiply(layer_ + ".input_scale", 10);
  expect_refused("input range / largest input: expected at most 4");
  multiply(layer_ + ".input_scale", 0.1f);
  expect_refused("input range / largest input: expected at least 0.125");
  expect_refused("saturated share");
}

TEST_F(Tampered, AScaleThatIsNoNumber) {
  multiply(layer_ + ".weight_scale", std::numeric_limits<float>::quiet_NaN());
  expect_refused("the candidate cannot be used");
}

TEST(ReproducibleBackend, AddsInOneOrder) {
  const auto backend = make_reproducible_backend(1);
  EXPECT_NE(backend->info().capabilities, "avx512bf16") << "it adds products in pairs";
  EXPECT_EQ(backend->info().capabilities == "generic", supported_isas().size() == 1);
}

TEST(OverlayFiles, HidesTheFp8FilesThatAreThere) {
  const test::TempFolder folder;
  const std::string made = folder.write("made", test::bytes_of("new"));
  const std::string stem = "transformer/diffusion_pytorch_model";
  std::map<std::string, test::Bytes> files;
  for (const char* end : {".safetensors", ".fp16.safetensors", ".fp8.safetensors",
                          ".fp8-00001-of-00002.safetensors", "-00002-of-00002.fp8.safetensors"}) {
    files[stem + end] = test::bytes_of("old");
  }
  files["vae/diffusion_pytorch_model.fp8.safetensors"] = test::bytes_of("old");
  const auto overlay = with_fp8_transformer(std::make_unique<test::MemoryFiles>(files), made);
  EXPECT_EQ(overlay->list(),
            (std::vector<std::string>{stem + ".fp16.safetensors", stem + ".fp8.safetensors",
                                      stem + ".safetensors",
                                      "vae/diffusion_pytorch_model.fp8.safetensors"}));
  EXPECT_FALSE(overlay->has(stem + ".fp8-00001-of-00002.safetensors"));
  EXPECT_TRUE(overlay->has(stem + ".fp8.safetensors"));
  EXPECT_EQ(read_text(*overlay, stem + ".fp8.safetensors"), "new");
  EXPECT_EQ(read_text(*overlay, stem + ".fp16.safetensors"), "old");
}

TEST_F(Quantisation, BelowTheLimitsNothingIsWrittenUnlessAccepted) {
  options_.limits.psnr = 99;
  const QuantizeReport refused = run();
  EXPECT_FALSE(refused.written);
  ASSERT_EQ(refused.failures.size(), 1u);
  EXPECT_TRUE(refused.failures[0].starts_with("PSNR: expected at least 99"));
  EXPECT_TRUE(nothing_written());

  options_.accept_quality_loss = true;
  EXPECT_TRUE(run().written);
  const auto file = open_tensor_file(open_file(options_.out));
  const auto json = nlohmann::json::parse(file->metadata().at("octet.quantization"));
  EXPECT_EQ(json["gate"]["passed"], false);
  EXPECT_EQ(json["gate"]["accepted_quality_loss"], true);
  EXPECT_EQ(json["gate"]["failures"].size(), 1u);
}

TEST_F(Quantisation, BlocksOverTheLimitStayIn16Bit) {
  std::vector<LayerReport> layers = run().layers;
  double worst[2] = {0, 0};
  for (const LayerReport& l : layers) {
    const bool second = l.name.starts_with("transformer_blocks.1");
    worst[second ? 1 : 0] = std::max(worst[second ? 1 : 0], l.calibration_error);
  }
  ASSERT_NE(worst[0], worst[1]);
  options_.block_error = (worst[0] + worst[1]) / 2;
  const QuantizeReport r = run();
  ASSERT_TRUE(r.written);
  EXPECT_EQ(r.kept_blocks, std::vector<int>{worst[0] > worst[1] ? 0 : 1});
  const auto file = open_tensor_file(open_file(options_.out));
  for (const int block : {0, 1}) {
    const std::string name = "transformer_blocks." + std::to_string(block) + ".ff.net.2.weight";
    EXPECT_EQ(file->tensors().at(name).dtype_name, block == r.kept_blocks[0] ? "F16" : "F8_E4M3");
  }

  options_.block_error = 0;
  EXPECT_FALSE(run().written) << "nothing would be left to quantise";
}

TEST_F(Quantisation, ComfyUiFilesAreJudgedByTheirBytes) {
  options_.layout = Fp8Layout::kComfyUi;
  options_.weight_scale = WeightScale::kTensor;
  options_.modulation_fp8 = true;
  const QuantizeReport r = run();
  EXPECT_TRUE(r.failures.empty()) << r.failures.at(0);
  ASSERT_TRUE(r.written);
  EXPECT_EQ(r.layers.size(), 13u + 5) << "with the modulation of two blocks and the output";
  for (const LayerReport& l : r.layers) {
    EXPECT_TRUE(l.quantised) << l.name;
    EXPECT_GT(l.weight_error, 0.01) << l.name;
    EXPECT_LT(l.weight_error, 0.06) << l.name;
  }
  const auto file = open_tensor_file(open_file(options_.out));
  EXPECT_EQ(file->tensors().count("model.diffusion_model.joint_blocks.1.x_block.mlp.fc1.weight"),
            1u);
  EXPECT_EQ(file->metadata().count("octet.quantization"), 1u);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_.path() + "/out"), {}), 1);
}

TEST_F(Quantisation, PercentilesNarrowTheRange) {
  options_.percentile = 90;
  options_.accept_quality_loss = true;
  for (const LayerReport& l : run().layers) {
    if (!l.quantised) continue;
    EXPECT_FLOAT_EQ(*l.input_scale, l.percentile / 448);
    EXPECT_GT(l.saturated, 0u) << l.name;
  }
}

TEST_F(Quantisation, CancellingLeavesNothing) {
  for (const QuantizeStage stage : {QuantizeStage::kCalibrate, QuantizeStage::kQuantize,
                                    QuantizeStage::kReference, QuantizeStage::kJudge}) {
    hooks_.progress = [&](const QuantizeProgress& p) { return p.stage != stage; };
    test::expect_error(Code::kCancelled, "interrupted", [&] { (void)run(); });
    EXPECT_TRUE(nothing_written()) << name_of(stage);
  }
}

TEST_F(Quantisation, ProgressCountsEveryStep) {
  std::map<QuantizeStage, int> last;
  hooks_.progress = [&](const QuantizeProgress& p) {
    if (p.stage != QuantizeStage::kQuantize) {
      EXPECT_EQ(p.done, ++last[p.stage]);
      EXPECT_EQ(p.total, p.stage == QuantizeStage::kCalibrate ? 6 : 4);
    }
    return true;
  };
  (void)run();
  EXPECT_EQ(last[QuantizeStage::kCalibrate], 6);
  EXPECT_EQ(last[QuantizeStage::kReference], 4);
  EXPECT_EQ(last[QuantizeStage::kJudge], 4);
}

TEST_F(Quantisation, RequestsThatCannotBe) {
  const QuantizeOptions good = options_;
  const auto expect_invalid = [&](const std::string& said) {
    test::expect_error(Code::kInvalidArgument, said, [&] { (void)run(); });
    options_ = good;
  };
  options_.calibration.clear();
  expect_invalid("calibration: expected prompts");
  options_.holdout.clear();
  expect_invalid("holdout: expected prompts");
  options_.holdout.push_back(options_.calibration[1]);
  expect_invalid("\"two dogs\" in both");
  options_.out.clear();
  expect_invalid("out: expected");
  options_.layout = Fp8Layout::kComfyUi;
  expect_invalid("weight scale: expected tensor");
  options_.percentile = 40;
  expect_invalid("percentile: expected");
  options_.width = 33;
  expect_invalid("width: expected a multiple");
  options_.variant = "bf16";
  test::expect_error(Code::kModelMismatch, "expected bf16 to quantise", [&] { (void)run(); });
  options_ = good;
  options_.out = folder_.path() + "/nowhere/x.safetensors";
  test::expect_error(Code::kIo, "No such file", [&] { (void)run(); });
  EXPECT_TRUE(nothing_written());
}

}  // namespace
}  // namespace octet
