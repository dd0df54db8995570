// The program with its real engine, on the small golden models: what only the two together can
// get right or wrong.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "checkpoint/safetensors.h"
#include "checkpoint/safetensors_writer.h"
#include "image/image.h"
#include "process.h"

namespace octet::test {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using Words = std::vector<std::string>;

const std::string kGolden = std::string(OCTET_TEST_DATA) + "/golden/";
const std::string kLarge = kGolden + "sd35-large/model";
const std::string kTransformer = "/transformer/diffusion_pytorch_model.fp8.safetensors";

ProcessResult octet_run(const TempFolder& folder, const Words& words, ProcessOptions options = {}) {
  options.folder = folder.path();
  return run_process(OCTET_BINARY, words, options);
}

/// `generate` with the golden model, three steps and a fixed seed.
ProcessResult draw(const TempFolder& folder, Words flags, const ProcessOptions& options = {}) {
  const Words always = {"generate", "a small red cat", "--model", kLarge, "--steps",
                        "3",        "--seed",          "8"};
  flags.insert(flags.begin(), always.begin(), always.end());
  return octet_run(folder, flags, options);
}

void expect_refused(const ProcessResult& result, int exit_code, const std::string& said) {
  EXPECT_EQ(result.exit_code, exit_code) << result.err;
  EXPECT_TRUE(result.err.starts_with("octet: error: ")) << result.err;
  EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
  EXPECT_NE(result.err.find(said), std::string::npos) << "no '" << said << "' in " << result.err;
  EXPECT_EQ(result.out, "");
}

/// A copy of a golden model that a test may break, with an output folder beside it.
struct BrokenModel {
  TempFolder folder;
  std::string path = folder / "model";
  BrokenModel() {
    fs::copy(kLarge, path, fs::copy_options::recursive);
    fs::create_directory(folder / "out");
  }
  [[nodiscard]] ProcessResult run(ProcessOptions options = {}) const {
    options.folder = folder / "out";
    return run_process(OCTET_BINARY, {"generate", "x", "--model", path, "--steps", "1"}, options);
  }
  void expect_unusable(const std::string& said) const {
    expect_refused(run(), 3, said);
    EXPECT_TRUE(fs::is_empty(folder / "out"));
  }
};

TEST(EndToEnd, DrawsAndReports) {
  const TempFolder folder;
  const ProcessResult result = draw(folder, {"--json", "--width", "48", "--height", "80"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const Json json = Json::parse(result.out);
  EXPECT_EQ(json["model"]["variant"], "fp8");
  EXPECT_EQ(json["model"]["digest"].get<std::string>().size(), 64U);
  EXPECT_EQ(json["components"].size(), 5U);
  EXPECT_EQ(json["components"][0]["stored"], "F8_E4M3");
  EXPECT_EQ(json["settings"]["steps"], 3);
  EXPECT_GT(json["memory"]["activation_peak_bytes"], 0);
  EXPECT_GE(json["seconds"]["total"], json["seconds"]["denoise"]);
  const std::string png = read_file(folder / "out.png");
  const Image image = decode_png(std::as_bytes(std::span(png)), "out.png");
  EXPECT_EQ(image.width, 48);
  EXPECT_EQ(image.height, 80);
}

TEST(EndToEnd, BuiltInModelDraws) {
  const TempFolder folder;
  const ProcessResult result =
      octet_run(folder, {"generate", "a red apple", "--steps", "1", "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(Json::parse(result.out)["model"]["path"], "built-in:emoji");
}

TEST(EndToEnd, ThreadsAndBatchDoNotChangeThePicture) {
  const TempFolder folder;
  ASSERT_EQ(draw(folder, {"--threads", "1", "-o", "one.png"}).exit_code, 0);
  ASSERT_EQ(draw(folder, {"--threads", "3", "-o", "three.png"}).exit_code, 0);
  ASSERT_EQ(draw(folder, {"--batch", "3", "--seed", "6", "-o", "b%d.png"}).exit_code, 2)
      << "the seed was given twice";
  const Words batch = {"generate", "a small red cat", "--model", kLarge, "--steps", "3", "--seed",
                       "6",        "--batch",         "3",       "-o",   "b%d.png"};
  ASSERT_EQ(octet_run(folder, batch).exit_code, 0);
  const std::string one = read_file(folder / "one.png");
  EXPECT_EQ(one, read_file(folder / "three.png"));
  EXPECT_EQ(one, read_file(folder / "b2.png"));
  EXPECT_NE(one, read_file(folder / "b1.png"));
}

TEST(EndToEnd, LikeRepeatsThePicture) {
  const TempFolder folder;
  const Words flags = {"--variant",  "fp8",  "--sampler", "dpmpp_2m", "--guidance",    "3.3",
                       "--negative", "blue", "--compat",  "comfyui",  "--skip-layers", "1",
                       "--width",    "64",   "-o",        "a.png"};
  ASSERT_EQ(draw(folder, flags).exit_code, 0);
  const ProcessResult again = octet_run(folder, {"generate", "--like", "a.png", "-o", "b.png"});
  ASSERT_EQ(again.exit_code, 0) << again.err;
  EXPECT_EQ(again.err.find("warning"), std::string::npos) << again.err;
  EXPECT_EQ(read_file(folder / "a.png"), read_file(folder / "b.png"));
  const ProcessResult other =
      octet_run(folder, {"generate", "--like", "a.png", "-o", "c.png", "--model",
                         kGolden + "sd3-medium/model", "--skip-layers", "0"});
  EXPECT_EQ(other.exit_code, 0) << other.err;
  EXPECT_NE(other.err.find("octet: warning: --like: a.png"), std::string::npos) << other.err;
}

TEST(EndToEnd, DrawsOverAPicture) {
  const TempFolder folder;
  const std::string inputs = std::string(OCTET_TEST_DATA) + "/fuzz/seeds/decode/";
  const Words flags = {
      "--init", inputs + "turned6.jpg", "--mask", inputs + "bilevel.png", "--strength", "0.7",
      "--json"};
  const auto with = [&](Words more) {
    more.insert(more.begin(), flags.begin(), flags.end());
    return draw(folder, more);
  };
  const ProcessResult one = with({"--threads", "1", "-o", "one.png"});
  ASSERT_EQ(one.exit_code, 0) << one.err;
  const Json json = Json::parse(one.out);
  EXPECT_EQ(json["init"]["strength"], 0.7);
  EXPECT_EQ(json["init"]["steps_run"], 3) << "3 - 2.1 leaves out none of 3 steps";
  EXPECT_EQ(json["settings"]["width"], 16);
  EXPECT_EQ(json["settings"]["height"], 16) << "13 x 21, in whole patches";
  EXPECT_EQ(json["warnings"],
            (Words{"init: resized from 13x21 to 16x16", "mask: resized from 21x13 to 16x16"}));
  ASSERT_EQ(with({"--threads", "3", "-o", "three.png"}).exit_code, 0);
  EXPECT_EQ(read_file(folder / "one.png"), read_file(folder / "three.png"));
  Words like = {"generate", "--like", "one.png", "-o", "again.png"};
  like.insert(like.end(), flags.begin(), flags.begin() + 4);
  ASSERT_EQ(octet_run(folder, like).exit_code, 0);
  EXPECT_EQ(read_file(folder / "one.png"), read_file(folder / "again.png"));
}

TEST(EndToEnd, EveryComputeTypeDrawsItsOwnPicture) {
  const TempFolder folder;
  std::vector<std::string> pictures;
  for (const char* type : {"f32", "bf16", "w8a16", "fp8"}) {
    const ProcessResult result = draw(folder, {"--compute", type, "-o", "-"});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_NE(result.err.find(std::string("F8_E4M3 stored, ") + type), std::string::npos);
    pictures.push_back(result.out);
  }
  EXPECT_NE(pictures[2], pictures[3]);
  expect_refused(draw(folder, {"--compute", "fp8", "--variant", "fp16"}), 2, "compute: fp8");
  EXPECT_EQ(folder.files(), Words{});
}

TEST(EndToEnd, DumpHoldsEveryStageAndItsNoiseRepeatsTheRun) {
  const TempFolder folder;
  ASSERT_EQ(draw(folder, {"--dump", "d", "--dump-steps", "-o", "a.png"}).exit_code, 0);
  const SafetensorsFile file(open_file(folder / "d"));
  Words names;
  for (const auto& [name, info] : file.tensors()) names.push_back(name);
  EXPECT_EQ(names, (Words{"image", "latents", "latents.0", "latents.1", "latents.2",
                          "negative_pooled_prompt_embeds", "negative_prompt_embeds", "noise",
                          "pooled_prompt_embeds", "prompt_embeds"}));
  const Words from_noise = {
      "generate", "a small red cat", "--model", kLarge, "--steps", "3", "--noise",
      "d",        "--dump",          "e",       "-o",   "b.png"};
  ASSERT_EQ(octet_run(folder, from_noise).exit_code, 0);
  const SafetensorsFile repeated(open_file(folder / "e"));
  EXPECT_EQ(file.read(file.tensors().at("image")), repeated.read(repeated.tensors().at("image")));
}

TEST(EndToEnd, BadRequestsAreRefused) {
  const TempFolder folder;
  const FloatArray small{.dims = {1, 16, 2, 2}, .values = std::vector<float>(64, 1)};
  write_safetensors(folder / "small", {{"noise", small}});
  FloatArray endless{.dims = {1, 16, 16, 16}, .values = std::vector<float>(4096, 1)};
  endless.values[77] = INFINITY;
  write_safetensors(folder / "endless", {{"noise", endless}});
  expect_refused(draw(folder, {"--width", "1024"}), 2, "width: expected a multiple of 16");
  expect_refused(draw(folder, {"--noise", "small"}), 2, "noise: expected shape");
  expect_refused(draw(folder, {"--noise", "endless"}), 2, "noise: expected finite");
  expect_refused(draw(folder, {"--skip-layers", "99"}), 2, "found 99");
  expect_refused(draw(folder, {"--variant", "fp32"}), 3, "variant: ");
  expect_refused(draw(folder, {"--variant", "../x"}), 3, "variant: ");
  expect_refused(draw(folder, {"--device", "cuda:7"}), 6, "cuda");
  expect_refused(octet_run(folder, {"generate", "x", "--model", "none"}), 5, "none");
  expect_refused(octet_run(folder, {"generate", "x", "--model", "small"}), 3, "small");
  EXPECT_EQ(folder.files(), (Words{"endless", "small"}));
}

TEST(EndToEnd, AMegabyteOfPromptIsCutAndSaid) {
  const TempFolder folder;
  const Words words = {"generate", "-", "--model", kLarge, "--steps", "1", "--json"};
  const ProcessResult result = octet_run(folder, words, {.input = std::string(1000000, 'x')});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_FALSE(Json::parse(result.out)["warnings"].empty());
  EXPECT_TRUE(result.err.starts_with("octet: warning: prompt: ")) << result.err;
}

TEST(EndToEnd, InterruptStopsWithinAStep) {
  const TempFolder folder;
  const Words words = {"generate", "x", "--model", kLarge, "--steps", "1000", "--width", "128"};
  const ProcessResult result =
      octet_run(folder, words, {.signal = SIGINT, .signal_after = "loaded in"});
  EXPECT_EQ(result.exit_code, 130) << result.err;
  EXPECT_LT(result.seconds_after_signal, 5.0);
  EXPECT_TRUE(result.err.ends_with("octet: interrupted\n")) << result.err;
  EXPECT_EQ(folder.files(), Words{});
}

TEST(EndToEnd, TooLittleMemoryHasItsOwnCode) {
  if (kSanitized) GTEST_SKIP() << "sanitizers need the address space";
  const TempFolder folder;
  const ProcessResult result = draw(folder, {"--batch", "64"}, {.memory_limit = 160 << 20});
  expect_refused(result, 4, "memory");
  EXPECT_EQ(folder.files(), Words{});
}

TEST(EndToEnd, TruncatedAndGarbageWeightsAreRefused) {
  const BrokenModel model;
  const std::string whole = read_file(model.path + kTransformer);
  for (const std::size_t size : {std::size_t{0}, std::size_t{4}, std::size_t{8}, std::size_t{100},
                                 whole.size() / 2, whole.size() - 1}) {
    write_file(model.path + kTransformer, whole.substr(0, size));
    model.expect_unusable("diffusion_pytorch_model.fp8.safetensors");
  }
  write_file(model.path + kTransformer, whole + "x");
  model.expect_unusable("diffusion_pytorch_model.fp8.safetensors");
  write_file(model.path + kTransformer, std::string(whole.size(), '\xff'));
  model.expect_unusable("diffusion_pytorch_model.fp8.safetensors");
  write_file(model.path + kTransformer, std::string("\x02\0\0\0\0\0\0\0{}", 10));
  model.expect_unusable("transformer");
  write_file(model.path + kTransformer, whole);
  EXPECT_EQ(model.run().exit_code, 0);
}

TEST(EndToEnd, MissingPartsAreNamed) {
  for (const char* part : {"text_encoder", "text_encoder_2", "vae", "transformer"}) {
    const BrokenModel model;
    fs::remove_all(model.path + "/" + part);
    model.expect_unusable(part);
  }
  const BrokenModel model;
  fs::remove_all(model.path + "/text_encoder_3");
  fs::remove_all(model.path + "/tokenizer_3");
  model.expect_unusable("text_encoder_3: model_index.json lists it beside text_encoder");
  const std::string index = model.path + "/model_index.json";
  Json listed = Json::parse(read_file(index));
  listed["text_encoder_3"] = {nullptr, nullptr};
  write_file(index, listed.dump());
  EXPECT_EQ(model.run().exit_code, 0) << "T5 may be missing";
}

TEST(EndToEnd, BrokenConfigsAndTokenizersAreNamed) {
  for (const char* file :
       {"/vae/config.json", "/text_encoder/config.json", "/scheduler/scheduler_config.json",
        "/tokenizer/vocab.json", "/tokenizer_3/tokenizer.json"}) {
    const BrokenModel model;
    write_file(model.path + file, "{\"a\": [1,");
    model.expect_unusable(std::string(file).substr(1));
  }
}

TEST(EndToEnd, UnreadableModelIsAnIoError) {
  const BrokenModel model;
  const ProcessOptions nobody = {.unprivileged = true};
  fs::permissions(model.folder.path(), fs::perms::all);
  fs::permissions(model.folder / "out", fs::perms::all);
  if (model.run(nobody).exit_code == 98) GTEST_SKIP() << "the build folder is closed to others";
  fs::permissions(model.path + kTransformer, fs::perms::none);
  fs::remove(model.folder / "out/out.png");
  expect_refused(model.run(nobody), 5, "diffusion_pytorch_model.fp8.safetensors");
  fs::permissions(model.path, fs::perms::none);
  expect_refused(model.run(nobody), 5, model.path);
  fs::permissions(model.path, fs::perms::owner_all);
  EXPECT_TRUE(fs::is_empty(model.folder / "out"));
}

/// A copy of a golden model without its FP8 variant, and prompts.
struct SourceModel {
  TempFolder folder;
  std::string path = folder / "model";
  SourceModel() {
    fs::copy(kLarge, path, fs::copy_options::recursive);
    fs::remove(path + kTransformer);
    write_file(folder / "prompts.txt",
               "a small red cat\na blue house\ntwo green birds\na tree\na car\nan apple\n"
               "a red box\na cup\na cat on a box\n");
  }
  [[nodiscard]] ProcessResult quantise(Words flags, const ProcessOptions& options = {}) const {
    const Words always = {
        "quantize", path, "--calibration-steps", "2", "--gate-steps", "2", "--width", "48",
        "--height", "48"};
    flags.insert(flags.begin(), always.begin(), always.end());
    return octet_run(folder, flags, options);
  }
  [[nodiscard]] std::string bytes() const { return read_file(path + kTransformer); }
};

TEST(EndToEnd, QuantisedModelDraws) {
  const SourceModel model;
  const Words make = {"--calibration", "prompts.txt", "--out", "model", "--json"};
  const ProcessResult made = model.quantise(make);
  ASSERT_EQ(made.exit_code, 0) << made.err;
  const Json report = Json::parse(made.out);
  EXPECT_EQ(report["gate"]["passed"], true);
  EXPECT_EQ(report["held_out"]["prompts"], 3);
  for (const char* compute : {"fp8", "w8a16"}) {
    const ProcessResult drawn =
        octet_run(model.folder, {"generate", "a cat", "--model", "model", "--variant", "fp8",
                                 "--compute", compute, "--steps", "2", "--json"});
    ASSERT_EQ(drawn.exit_code, 0) << drawn.err;
    EXPECT_EQ(Json::parse(drawn.out)["components"][0]["stored"], "F8_E4M3");
  }
  const std::string first = model.bytes();
  const SafetensorsFile file(open_file(model.path + kTransformer));
  EXPECT_EQ(Json::parse(file.metadata().at("octet.quantization")), report);

  Words again = make;
  again.insert(again.end(), {"--threads", "1"});
  ASSERT_EQ(model.quantise(again).exit_code, 0);
  EXPECT_TRUE(first == model.bytes()) << "the file depends on the number of threads";
}

TEST(EndToEnd, TheGateKeepsTheOldFile) {
  const SourceModel model;
  write_file(model.path + kTransformer, "old");
  const ProcessResult refused = model.quantise(
      {"--calibration", "prompts.txt", "--out", "model", "--quiet", "--min-psnr", "99"});
  expect_refused(refused, 7, "quality gate: PSNR: expected at least 99");
  EXPECT_EQ(model.bytes(), "old");
}

TEST(EndToEnd, TheGateJudgesFilesFromElsewhere) {
  const SourceModel model;
  // The golden FP8 file was made by another program, with scales per row and per token.
  const Words judge = {"--gate", kLarge + kTransformer, "--holdout", "prompts.txt"};
  const ProcessResult good = model.quantise(judge);
  EXPECT_EQ(good.exit_code, 0) << good.err;

  write_file(model.folder / "garbage.safetensors", "garbage");
  const ProcessResult bad =
      model.quantise({"--gate", "garbage.safetensors", "--holdout", "prompts.txt", "--quiet"});
  expect_refused(bad, 7, "the candidate cannot be used");
  const ProcessResult none =
      model.quantise({"--gate", "none.safetensors", "--holdout", "prompts.txt", "--quiet"});
  expect_refused(none, 5, "none.safetensors");
}

TEST(EndToEnd, TheSourceMustMatchItsLock) {
  const SourceModel model;
  ASSERT_EQ(octet_run(model.folder, {"lock", "model", "--variant", "fp16", "-o", "l"}).exit_code,
            0);
  const Words make = {
      "--calibration", "prompts.txt", "--out", "o.safetensors", "--variant",
      "fp16",          "--lock",      "l",     "--quiet",       "--accept-quality-loss"};
  ASSERT_EQ(model.quantise(make).exit_code, 0);
  write_file(model.path + "/vae/config.json", "{}");
  expect_refused(model.quantise(make), 7, "model-lock: l: file vae/config.json");
}

TEST(EndToEnd, InterruptedQuantisationLeavesNothing) {
  const SourceModel model;
  const ProcessResult r =
      model.quantise({"--calibration", "prompts.txt", "--out", "o.safetensors", "--seed", "1"},
                     {.signal = SIGINT, .signal_after = "calibrating"});
  EXPECT_EQ(r.exit_code, 130) << r.err;
  EXPECT_FALSE(fs::exists(model.folder / "o.safetensors"));
  EXPECT_EQ(std::distance(fs::directory_iterator(model.folder.path()), {}), 2);
}

TEST(EndToEnd, QuantisingTheBuiltInModelSaysWhatIsMissing) {
  const SourceModel model;
  const ProcessResult r = octet_run(model.folder, {"quantize", "emoji", "--calibration",
                                                   "prompts.txt", "--out", "o.safetensors"});
  expect_refused(r, 3, "expected a 16- or 32-bit transformer to quantise, found fp8");
}

}  // namespace
}  // namespace octet::test
