// octet generate --like: a picture repeats itself from its own record.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "image/image.h"
#include "image/parameters.h"
#include "process.h"

namespace octet::test {
namespace {

using Words = std::vector<std::string>;

const Words kEverySetting = {"generate",
                             "a (red) apple\nSteps: 3, Seed: 9",
                             "--negative",
                             "caf\xc3\xa9, \"blue\"",
                             "--steps",
                             "7",
                             "--guidance",
                             "3.3333333",
                             "--shift",
                             "2.7182817",
                             "--seed",
                             "18446744073709551000",
                             "--width",
                             "48",
                             "--height",
                             "80",
                             "--sampler",
                             "dpmpp_2m",
                             "--schedule",
                             "sgm_uniform",
                             "--skip-layers",
                             "3,1,4",
                             "--skip-scale",
                             "1.1",
                             "--skip-start",
                             "0.05",
                             "--skip-end",
                             "0.35",
                             "--t5-length",
                             "77",
                             "--compat",
                             "reference",
                             "--lora",
                             "a, b:c.safetensors:0.3333333",
                             "--lora",
                             "d.safetensors",
                             "-o",
                             "first.png"};

ProcessResult octet_run(const TempFolder& folder, const Words& words) {
  return run_process(OCTET_WITH_STUB, words, {.folder = folder.path()});
}

std::vector<std::uint8_t> pixels(const std::string& path) {
  const std::string bytes = read_file(path);
  return decode_png(std::as_bytes(std::span(bytes)), path).rgb;
}

TEST(Like, RepeatsEverySetting) {
  const TempFolder folder;
  ASSERT_EQ(octet_run(folder, kEverySetting).exit_code, 0);
  const ProcessResult again = octet_run(folder, {"generate", "--like", "first.png", "-o", "2.png"});
  ASSERT_EQ(again.exit_code, 0) << again.err;
  EXPECT_EQ(again.err.find("warning"), std::string::npos) << again.err;
  EXPECT_EQ(read_file(folder / "first.png"), read_file(folder / "2.png"));
}

TEST(Like, RepeatsJpegAndWebp) {
  const TempFolder folder;
  for (const std::string suffix : {"jpg", "webp"}) {
    Words first = kEverySetting;
    first.back() = "a." + suffix;
    ASSERT_EQ(octet_run(folder, first).exit_code, 0);
    ASSERT_EQ(
        octet_run(folder, {"generate", "--like", "a." + suffix, "-o", "b." + suffix}).exit_code, 0);
    EXPECT_EQ(read_file(folder / ("a." + suffix)), read_file(folder / ("b." + suffix)));
    first.insert(first.end(), {"--no-provenance"});
    ASSERT_EQ(octet_run(folder, first).exit_code, 0);
    EXPECT_EQ(read_file(folder / ("a." + suffix)).find("http"), std::string::npos);
    const ProcessResult refused = octet_run(folder, {"generate", "--like", "a." + suffix});
    EXPECT_EQ(refused.exit_code, 2);
    EXPECT_NE(refused.err.find("found no settings in a." + suffix), std::string::npos);
  }
}

TEST(Like, AJpegWithoutRoomForTheSettingsIsSaid) {
  const TempFolder folder;
  const ProcessResult result =
      octet_run(folder, {"generate", std::string(40000, 'x'), "-o", "a.jpg", "--json"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_NE(result.err.find("octet: warning: the settings are too long for a JPEG"),
            std::string::npos);
  EXPECT_EQ(nlohmann::json::parse(result.out)["warnings"].size(), 1U);
}

TEST(Like, LoraFilesOfTheRecordOrOfTheCommandLine) {
  const TempFolder folder;
  ASSERT_EQ(octet_run(folder, kEverySetting).exit_code, 0);
  const auto loras = [&](const Words& more) {
    Words words = {"generate", "--like", "first.png", "-o", "2.png"};
    words.insert(words.end(), more.begin(), more.end());
    const ProcessResult again = octet_run(folder, words);
    EXPECT_EQ(again.exit_code, 0) << again.err;
    const std::string png = read_file(folder / "2.png");
    return read_picture_parameters(std::as_bytes(std::span(png)), "2.png")->loras;
  };
  EXPECT_EQ(loras({}), (Words{"a, b:c.safetensors:0.333333313", "d.safetensors:1"}));
  EXPECT_EQ(loras({"--lora", "e:2"}), (Words{"e:2"})) << "what is given replaces the record's";
  EXPECT_FALSE(loras({"--model", "other"}).has_value()) << "they belong to the record's model";
}

TEST(Like, RepeatsOnePictureOfABatch) {
  const TempFolder folder;
  ASSERT_EQ(octet_run(folder, {"generate", "x", "--batch", "3", "-o", "%d.png"}).exit_code, 0);
  ASSERT_EQ(octet_run(folder, {"generate", "--like", "2.png"}).exit_code, 0);
  EXPECT_EQ(read_file(folder / "2.png"), read_file(folder / "out.png"));
}

// A record holds digests of the files that the picture began with, never the files.
TEST(Like, APictureThatBeganWithAnotherNeedsIt) {
  const TempFolder folder;
  const std::string inputs = std::string(OCTET_TEST_DATA) + "/fuzz/seeds/decode/";
  const Words files = {"--init", inputs + "rgb.png", "--mask", inputs + "grey.png"};
  Words first = {"generate", "x", "--strength", "0.35", "-o", "a.png"};
  first.insert(first.end(), files.begin(), files.end());
  ASSERT_EQ(octet_run(folder, first).exit_code, 0);
  const std::string png = read_file(folder / "a.png");
  const auto record = read_picture_parameters(std::as_bytes(std::span(png)), "a.png");
  EXPECT_EQ(record->strength, 0.35);
  EXPECT_EQ(record->init_hash.value_or("").size(), 64U);
  EXPECT_NE(record->mask_hash, record->init_hash);

  const auto like = [&](const Words& more) {
    Words words = {"generate", "--like", "a.png", "-o", "b.png"};
    words.insert(words.end(), more.begin(), more.end());
    return octet_run(folder, words);
  };
  const ProcessResult same = like(files);
  EXPECT_EQ(same.exit_code, 0) << same.err;
  EXPECT_EQ(same.err.find("warning"), std::string::npos) << same.err;
  EXPECT_EQ(read_file(folder / "b.png"), png);

  const ProcessResult without = like({});
  EXPECT_EQ(without.exit_code, 2);
  EXPECT_NE(without.err.find("--like: a.png was drawn with a file of --init; expected --init FILE "
                             "as well, with SHA-256 " +
                             *record->init_hash),
            std::string::npos)
      << without.err;
  EXPECT_NE(like({files[0], files[1]}).err.find("expected --mask FILE as well"), std::string::npos);

  const ProcessResult other = like({"--init", inputs + "palette.png", files[2], files[3]});
  EXPECT_EQ(other.exit_code, 0) << other.err;
  EXPECT_NE(other.err.find("octet: warning: --like: a.png was drawn with a file of --init with"),
            std::string::npos)
      << other.err;
  EXPECT_NE(read_file(folder / "b.png"), png);
}

// Web UIs write a strength when they enlarge a picture, too.
TEST(Like, AStrengthAloneIsNoPicture) {
  const TempFolder folder;
  PictureParameters record{.prompt = "x"};
  record.strength = 0.5;
  const std::vector<std::byte> bytes =
      encode({1, 1, {1, 2, 3}}, ImageFormat::kPng, {.texts = picture_texts(record)});
  write_file(folder / "a.png", {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  const ProcessResult result = octet_run(folder, {"generate", "--like", "a.png"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
}

TEST(Like, FlagsAndPromptWinOverTheRecord) {
  const TempFolder folder;
  ASSERT_EQ(octet_run(folder, kEverySetting).exit_code, 0);
  const ProcessResult result =
      octet_run(folder, {"generate", "a pear", "--like", "first.png", "--steps", "9", "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto json = nlohmann::json::parse(result.out);
  EXPECT_EQ(json["prompt"], "a pear");
  EXPECT_EQ(json["negative_prompt"], "caf\xc3\xa9, \"blue\"");
  EXPECT_EQ(json["settings"]["steps"], 9);
  EXPECT_EQ(json["settings"]["sampler"], "dpmpp_2m");
  EXPECT_EQ(json["seed"], 18446744073709551000U);
  EXPECT_NE(pixels(folder / "first.png"), pixels(folder / "out.png"));
}

TEST(Like, SaysWhenTheModelIsAnother) {
  const TempFolder folder;
  ASSERT_EQ(octet_run(folder, {"generate", "x", "-o", "a.png"}).exit_code, 0);
  const ProcessResult other =
      octet_run(folder, {"generate", "--like", "a.png", "--model", "other", "--json"});
  EXPECT_EQ(other.exit_code, 0) << other.err;
  EXPECT_NE(other.err.find("octet: warning: --like: a.png was drawn by a model with digest aaaa"),
            std::string::npos)
      << other.err;
  EXPECT_EQ(nlohmann::json::parse(other.out)["warnings"].size(), 1U);
}

TEST(Like, RecordNamesTheResolvedComputeType) {
  const TempFolder folder;
  ASSERT_EQ(octet_run(folder, {"generate", "x"}).exit_code, 0);
  const std::string png = read_file(folder / "out.png");
  const auto record = read_picture_parameters(std::as_bytes(std::span(png)), "test");
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(record->compute, "w8a16");
  EXPECT_EQ(record->variant, std::nullopt) << "none was asked for";
  EXPECT_NE(read_png_parameters(std::as_bytes(std::span(png)), "test")
                .value_or("")
                .find("Steps: 20, Sampler: Euler"),
            std::string::npos);
}

TEST(Like, OtherWeightsComeWithTheirOwnComputeType) {
  const TempFolder folder;
  ASSERT_EQ(octet_run(folder, {"generate", "x", "--compute", "fp8", "--steps", "3"}).exit_code, 0);
  EXPECT_EQ(octet_run(folder, {"generate", "--like", "out.png", "-o", "2.png"}).exit_code, 0);
  const Words other = {"generate", "--like", "out.png", "--variant", "fp8", "-o", "3.png"};
  ASSERT_EQ(octet_run(folder, other).exit_code, 0);
  const auto compute_in = [&](const std::string& name) {
    const std::string png = read_file(folder / name);
    return read_picture_parameters(std::as_bytes(std::span(png)), name)->compute.value_or("");
  };
  EXPECT_EQ(compute_in("2.png"), "fp8");
  EXPECT_EQ(compute_in("3.png"), "w8a16") << "what auto comes to";
}

TEST(Like, RefusesPicturesWithoutARecordAndHostileRecords) {
  const TempFolder folder;
  const Image image{.width = 1, .height = 1, .rgb = {1, 2, 3}};
  const auto write = [&](const std::string& name, const EncodeOptions& options) {
    const std::vector<std::byte> bytes = encode(image, ImageFormat::kPng, options);
    write_file(folder / name, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  };
  write("plain.png", {});
  PictureParameters record{.prompt = "x"};
  record.steps = 1000000;
  write("steps.png", {.texts = picture_texts(record)});
  record.steps = 4;
  record.sampler = "rm -rf";
  write("sampler.png", {.texts = picture_texts(record)});
  const Words said = {"found no settings in plain.png",
                      "--steps: expected an integer from 1 to 1000", "--sampler: expected one of"};
  const Words names = {"plain.png", "steps.png", "sampler.png"};
  for (std::size_t i = 0; i < names.size(); ++i) {
    const ProcessResult result = octet_run(folder, {"generate", "--like", names[i]});
    EXPECT_EQ(result.exit_code, 2);
    EXPECT_TRUE(result.err.starts_with("octet: error: --like: ")) << result.err;
    EXPECT_NE(result.err.find(said[i]), std::string::npos) << result.err;
  }
  EXPECT_EQ(folder.files().size(), 3U);
}

}  // namespace
}  // namespace octet::test
