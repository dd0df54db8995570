// The command line of `octet quantize`: what is read, refused, printed and written.

#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "process.h"

namespace octet::test {
namespace {

using Json = nlohmann::json;
using Words = std::vector<std::string>;

constexpr const char* kPrompts =
    "# a comment\n\na red apple\r\ntwo dogs\n  \na house\na tree\na cup\nsix\n";

/// A folder with prompt files, and runs in it.
struct Folder : TempFolder {
  Folder() {
    write_file(*this / "c.txt", kPrompts);
    write_file(*this / "h.txt", "an owl\n");
  }
  [[nodiscard]] ProcessResult run(Words words, ProcessOptions options = {}) const {
    words.insert(words.begin(), "quantize");
    options.folder = path();
    return run_process(OCTET_WITH_STUB, words, options);
  }
  /// Runs that make a file from "good" prompts.
  [[nodiscard]] ProcessResult make(const std::string& model, Words more = {},
                                   const ProcessOptions& options = {}) const {
    more.insert(more.begin(), {model, "--calibration", "c.txt", "--out", "o.safetensors"});
    return run(more, options);
  }
};

void expect_refused(const ProcessResult& r, int exit_code, const std::string& said) {
  EXPECT_EQ(r.exit_code, exit_code) << r.err;
  EXPECT_NE(r.err.find(said), std::string::npos) << "no '" << said << "' in " << r.err;
  EXPECT_TRUE(r.err.starts_with("octet: error: ")) << r.err;
  EXPECT_EQ(std::count(r.err.begin(), r.err.end(), '\n'), 1) << r.err;
  EXPECT_EQ(r.out, "");
}

TEST(QuantizeCommand, WritesAndReports) {
  const Folder folder;
  const ProcessResult r = folder.make("good");
  EXPECT_EQ(r.exit_code, 0) << r.err;
  EXPECT_EQ(r.out, "");
  EXPECT_NE(read_file(folder / "o.safetensors"), "");
  for (const char* said :
       {"calibrating:", "20/20 steps", "judging:", "transformer_blocks.0.ff.net.2",
        "blocks kept in 16 bit: 35", "mean PSNR", "o.safetensors  "}) {
    EXPECT_NE(r.err.find(said), std::string::npos) << said << " in " << r.err;
  }
}

TEST(QuantizeCommand, EveryThirdPromptIsHeldOut) {
  const Folder folder;
  const Json json = Json::parse(folder.make("good", {"--json"}).out);
  EXPECT_EQ(json["calibration"], 4);
  EXPECT_EQ(json["held_out"], 2);
  const Json given = Json::parse(folder.make("good", {"--json", "--holdout", "h.txt"}).out);
  EXPECT_EQ(given["calibration"], 6);
  EXPECT_EQ(given["held_out"], 1);
}

TEST(QuantizeCommand, FlagsReachTheirOptions) {
  const Folder folder;
  const ProcessResult r =
      folder.make("good", {"--json", "--to", "fp8", "--layout", "comfyui", "--modulation", "fp8",
                           "--input-percentile", "99.5", "--min-psnr", "11", "--seed", "7"});
  ASSERT_EQ(r.exit_code, 0) << r.err;
  EXPECT_EQ(r.err, "") << "--json prints one object and nothing else";
  const Json json = Json::parse(r.out);
  EXPECT_EQ(json["comfy"], 1);
  EXPECT_EQ(json["row"], 0) << "the layout has scales per tensor only";
  EXPECT_EQ(json["modulation"], 1);
  EXPECT_EQ(json["percentile"], 99.5);
  EXPECT_EQ(json["psnr"], 11);
  EXPECT_EQ(json["seed"], 7);
  EXPECT_EQ(Json::parse(folder.make("good", {"--json"}).out)["row"], 1);
}

TEST(QuantizeCommand, TheGateRefuses) {
  const Folder folder;
  const ProcessResult r = folder.make("bad", {"--quiet"});
  expect_refused(r, 7,
                 "quality gate: PSNR: expected at least 28, found 3; SSIM: low; nothing was "
                 "written (--accept-quality-loss");
  EXPECT_EQ(folder.files(), (Words{"c.txt", "h.txt"}));
  const ProcessResult json = folder.make("bad", {"--json"});
  EXPECT_EQ(json.exit_code, 7);
  EXPECT_TRUE(Json::accept(json.out)) << "the report comes even so";

  const ProcessResult accepted = folder.make("bad", {"--accept-quality-loss"});
  EXPECT_EQ(accepted.exit_code, 0) << accepted.err;
  EXPECT_NE(accepted.err.find("limit broken: SSIM: low"), std::string::npos);
  EXPECT_NE(read_file(folder / "o.safetensors"), "");
}

TEST(QuantizeCommand, JudgesAFile) {
  const Folder folder;
  const ProcessResult good =
      folder.run({"good", "--gate", "some.safetensors", "--holdout", "h.txt", "--json"});
  EXPECT_EQ(good.exit_code, 0) << good.err;
  EXPECT_EQ(Json::parse(good.out)["candidate"], "some.safetensors");
  const ProcessResult bad =
      folder.run({"bad", "--gate", "some.safetensors", "--holdout", "h.txt", "--quiet"});
  expect_refused(bad, 7, "quality gate: PSNR");
  EXPECT_EQ(bad.err.find("written"), std::string::npos) << bad.err;
  EXPECT_EQ(folder.files(), (Words{"c.txt", "h.txt"}));
}

TEST(QuantizeCommand, AModelFolderGetsTheVariant) {
  const Folder folder;
  std::filesystem::create_directories(folder / "model/transformer");
  const ProcessResult r = folder.run({"good", "--calibration", "c.txt", "--out", "model"});
  EXPECT_EQ(r.exit_code, 0) << r.err;
  EXPECT_TRUE(std::filesystem::exists(folder /
                                      "model/transformer/diffusion_pytorch_model.fp8.safetensors"));
}

TEST(QuantizeCommand, ControlCLeavesNothing) {
  const Folder folder;
  const ProcessResult r = folder.make("slow", {"--calibration-steps", "500"},
                                      {.signal = SIGINT, .signal_after = "now working"});
  EXPECT_EQ(r.exit_code, 130) << r.err;
  EXPECT_NE(r.err.find("octet: interrupted"), std::string::npos);
  EXPECT_EQ(folder.files(), (Words{"c.txt", "h.txt"}));
}

TEST(QuantizeCommand, BadInput) {
  const Folder folder;
  write_file(folder / "empty.txt", "# nothing\n\n");
  write_file(folder / "two.txt", "a\nb\n");
  write_file(folder / "broken.txt", "a cat\n\xff\n");
  const Words to = {"--out", "o.safetensors"};
  const auto with = [&](Words words) {
    words.insert(words.end(), to.begin(), to.end());
    return folder.run(words);
  };
  expect_refused(folder.run({}), 2, "MODEL: expected one model, found 0 words");
  expect_refused(with({"a", "b"}), 2, "found 2 words");
  expect_refused(with({"good"}), 2, "--calibration: expected a file of prompts");
  expect_refused(folder.run({"good", "--calibration", "c.txt"}), 2, "--out: expected where");
  expect_refused(folder.run({"good", "--calibration", "c.txt", "--out", "x.bin"}), 2,
                 "--out: expected a name that ends in .safetensors");
  expect_refused(folder.run({"good", "--calibration", "c.txt", "--out", "no/x.safetensors"}), 5,
                 "--out: expected a writable file");
  expect_refused(with({"good", "--calibration", "none.txt"}), 5, "none.txt");
  expect_refused(with({"good", "--calibration", "empty.txt"}), 2, "found 0 in 'empty.txt'");
  expect_refused(with({"good", "--calibration", "two.txt"}), 2, "at least 3 prompts");
  expect_refused(with({"good", "--calibration", "broken.txt"}), 2, "line 2: expected UTF-8");
  expect_refused(with({"good", "--calibration", "c.txt", "--to", "int8"}), 2, "--to: expected one");
  expect_refused(
      with({"good", "--calibration", "c.txt", "--layout", "comfyui", "--weight-scale", "row"}), 2,
      "--weight-scale: expected tensor");
  expect_refused(with({"good", "--calibration", "c.txt", "--input-percentile", "50"}), 2,
                 "--input-percentile: expected a number");
  expect_refused(folder.run({"good", "--gate", "f"}), 2, "--holdout FILE as well");
  expect_refused(with({"good", "--gate", "f", "--holdout", "h.txt"}), 2, "neither --calibration");
  expect_refused(with({"missing", "--calibration", "c.txt"}), 5, "missing: cannot open");
  EXPECT_FALSE(std::filesystem::exists(folder / "o.safetensors"));
}

TEST(QuantizeCommand, Help) {
  const Folder folder;
  const ProcessResult r = folder.run({"--help"});
  EXPECT_EQ(r.exit_code, 0);
  for (const char* said : {"octet quantize MODEL --calibration", "--accept-quality-loss",
                           "--min-psnr DB", "28)", "--gate FILE"}) {
    EXPECT_NE(r.out.find(said), std::string::npos) << said;
  }
}

}  // namespace
}  // namespace octet::test
