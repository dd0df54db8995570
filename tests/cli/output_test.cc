// Where pictures go: names, formats, standard output, replacing, full disks, dumps and noise.

#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <filesystem>

#include "checkpoint/safetensors.h"
#include "checkpoint/safetensors_writer.h"
#include "image/image.h"
#include "process.h"

namespace octet::test {
namespace {

using Names = std::vector<std::string>;

ProcessResult draw(const TempFolder& folder, Names flags, ProcessOptions options = {}) {
  flags.insert(flags.begin(), {"generate", "a red apple", "--seed", "5"});
  options.folder = folder.path();
  return run_process(OCTET_WITH_STUB, flags, options);
}

Image decoded(const std::string& bytes) {
  return decode_png(std::as_bytes(std::span(bytes)), "test");
}

TEST(Output, DefaultIsOutPng) {
  const TempFolder folder;
  const ProcessResult result = draw(folder, {});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(folder.files(), Names{"out.png"});
  EXPECT_EQ(result.out, "");
  EXPECT_NE(result.err.find("transformer: f8_e4m3 stored, w8a16 computed (no FP8"),
            std::string::npos);
  EXPECT_NE(result.err.find("out.png  seed 5  "), std::string::npos);
}

TEST(Output, SuffixPicksTheFormat) {
  const TempFolder folder;
  const std::vector<std::pair<std::string, std::string>> starts = {{"a.png", "\x89PNG"},
                                                                   {"a.PNG", "\x89PNG"},
                                                                   {"a.jpg", "\xff\xd8\xff"},
                                                                   {"a.jpeg", "\xff\xd8\xff"},
                                                                   {"a.webp", "RIFF"}};
  for (const auto& [name, start] : starts) {
    EXPECT_EQ(draw(folder, {"-o", name}).exit_code, 0);
    EXPECT_TRUE(read_file(folder / name).starts_with(start)) << name;
  }
}

TEST(Output, BatchWithoutPatternIsNumberedBeforeTheSuffix) {
  const TempFolder folder;
  EXPECT_EQ(draw(folder, {"-o", "a.b.png", "--batch", "3"}).exit_code, 0);
  EXPECT_EQ(folder.files(), (Names{"a.b-0.png", "a.b-1.png", "a.b-2.png"}));
}

TEST(Output, PatternCountsFromZeroAlsoForOne) {
  const TempFolder folder;
  EXPECT_EQ(draw(folder, {"-o", "n%d.png", "--batch", "2"}).exit_code, 0);
  EXPECT_EQ(draw(folder, {"-o%dx%%.webp"}).exit_code, 0);
  EXPECT_EQ(folder.files(), (Names{"0x%%.webp", "n0.png", "n1.png"}));
}

TEST(Output, PictureOfABatchEqualsThePictureOfItsSeed) {
  const TempFolder folder;
  EXPECT_EQ(draw(folder, {"-o", "n%d.png", "--batch", "2"}).exit_code, 0);
  const ProcessResult alone =
      run_process(OCTET_WITH_STUB, {"generate", "a red apple", "--seed", "6", "-o", "alone.png"},
                  {.folder = folder.path()});
  EXPECT_EQ(alone.exit_code, 0);
  EXPECT_EQ(read_file(folder / "n1.png"), read_file(folder / "alone.png"));
  EXPECT_NE(read_file(folder / "n0.png"), read_file(folder / "alone.png"));
}

TEST(Output, DashWritesOnePngToStandardOutput) {
  const TempFolder folder;
  const ProcessResult result = draw(folder, {"-o", "-", "--width", "32"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(decoded(result.out).width, 32);
  EXPECT_EQ(folder.files(), Names{});
  EXPECT_EQ(draw(folder, {}).exit_code, 0);
  EXPECT_NE(read_file(folder / "out.png"), result.out) << "another width";
}

TEST(Output, DashRefusesATerminal) {
  if (!has_terminals()) GTEST_SKIP() << "no terminal can be opened here";
  const TempFolder folder;
  const ProcessResult result = draw(folder, {"-o", "-"}, {.terminal_out = true});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_NE(result.err.find("found a terminal"), std::string::npos);
}

TEST(Output, ReplacesByRenameAndKeepsALink) {
  const TempFolder folder;
  write_file(folder / "real.png", "old");
  std::filesystem::create_hard_link(folder / "real.png", folder / "other-name.png");
  std::filesystem::create_symlink("real.png", folder / "link.png");
  EXPECT_EQ(draw(folder, {"-o", "link.png"}).exit_code, 0);
  EXPECT_TRUE(std::filesystem::is_symlink(folder / "link.png"));
  EXPECT_EQ(decoded(read_file(folder / "real.png")).width, 64);
  EXPECT_EQ(read_file(folder / "other-name.png"), "old") << "overwritten in place";
}

TEST(Output, AFolderOfThatNameIsRefused) {
  const TempFolder folder;
  std::filesystem::create_directory(folder / "a.png");
  const ProcessResult result = draw(folder, {"-o", "a.png"});
  EXPECT_EQ(result.exit_code, 5);
  EXPECT_NE(result.err.find("Is a directory"), std::string::npos);
}

TEST(Output, UnwritableFolderIsRefusedBeforeDrawing) {
  const TempFolder folder;
  ::chmod(folder.path().c_str(), 0555);
  const ProcessResult result = draw(folder, {"--model", "broken"}, {.unprivileged = true});
  ::chmod(folder.path().c_str(), 0700);
  if (result.exit_code == 98) GTEST_SKIP() << "the build folder is closed to other users";
  EXPECT_EQ(result.exit_code, 5);
  EXPECT_NE(result.err.find("Permission denied"), std::string::npos);
}

TEST(Output, BadPathsAreFoundBeforeTheModelIsLoaded) {
  const TempFolder folder;
  EXPECT_EQ(draw(folder, {"--model", "broken", "-o", "none/a.png"}).exit_code, 5);
  EXPECT_EQ(draw(folder, {"--model", "broken", "--dump", "none/a"}).exit_code, 5);
  EXPECT_EQ(draw(folder, {"--model", "broken", "--noise", "none"}).exit_code, 5);
  EXPECT_EQ(draw(folder, {"--model", "broken"}).exit_code, 1);
}

TEST(Output, FileSizeLimitIsAnErrorAndLeavesNothing) {
  const TempFolder folder;
  const ProcessResult result =
      draw(folder, {"--width", "1024", "--height", "1024"}, {.file_limit = 1 << 20});
  EXPECT_EQ(result.exit_code, 5);
  EXPECT_NE(result.err.find("out.png: cannot write: File too large"), std::string::npos)
      << result.err;
  EXPECT_EQ(folder.files(), Names{});
}

TEST(Output, FullDiskIsAnErrorAndLeavesNothing) {
  const TempFolder folder;
  const std::string disk = folder / "disk";
  std::filesystem::create_directory(disk);
  if (::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=64k") != 0) {
    GTEST_SKIP() << "mounting a small file system needs root";
  }
  const ProcessResult picture = draw(folder, {"-o", "disk/a.png", "--width", "512"});
  write_file(disk + "/keep.png", "old");
  const ProcessResult replaced = draw(folder, {"-o", "disk/keep.png", "--width", "512"});
  const ProcessResult dump = draw(folder, {"--dump", "disk/d", "--width", "512"});
  const std::string kept = read_file(disk + "/keep.png");
  const Names files = folder.files();
  ::umount(disk.c_str());
  for (const ProcessResult& result : {picture, replaced, dump}) {
    EXPECT_EQ(result.exit_code, 5);
    EXPECT_NE(result.err.find("No space left on device"), std::string::npos) << result.err;
  }
  EXPECT_EQ(kept, "old");
  EXPECT_EQ(files, (Names{"disk", "disk/keep.png", "out.png"}));
}

TEST(Dump, IsASafetensorsFileThatReadsBack) {
  const TempFolder folder;
  const ProcessResult result =
      draw(folder, {"--dump", "d.safetensors", "--dump-steps", "--steps", "2", "--batch", "3"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  const SafetensorsFile file(open_file(folder / "d.safetensors"));
  Names names;
  for (const auto& [name, info] : file.tensors()) names.push_back(name);
  EXPECT_EQ(names, (Names{"image", "latents.0", "latents.1", "noise"}));
  const TensorInfo& image = file.tensors().at("image");
  EXPECT_EQ(image.dtype_name, "F32");
  EXPECT_EQ(image.dims, (std::vector<std::int64_t>{3, 3, 64, 64}));
  EXPECT_EQ(image.bytes, 3U * 3 * 64 * 64 * 4);
}

TEST(Dump, WithoutStepsHasNoSteps) {
  const TempFolder folder;
  EXPECT_EQ(draw(folder, {"--dump", "d"}).exit_code, 0);
  EXPECT_FALSE(SafetensorsFile(open_file(folder / "d")).tensors().contains("latents.0"));
}

TEST(SafetensorsWriter, GivesTheSameBytesWithAlignedData) {
  const FloatTensors tensors = {{"b\"\n", {.dims = {2, 3}, .values = {1, 2, 3, 4, 5, -0.F}}},
                                {"a", {.dims = {}, .values = {7}}},
                                {"empty", {.dims = {0, 4}, .values = {}}}};
  const std::vector<std::byte> bytes = safetensors_bytes(tensors);
  EXPECT_EQ(bytes, safetensors_bytes(tensors));
  const SafetensorsFile file(open_memory("test", bytes));
  EXPECT_EQ(file.tensors().size(), 3U);
  EXPECT_EQ(file.tensors().at("a").offset % 8, 0U);
  EXPECT_EQ(file.tensors().at("a").dims, std::vector<std::int64_t>{});
  const TensorInfo& b = file.tensors().at("b\"\n");
  const std::vector<std::byte> read = file.read(b);
  EXPECT_EQ(std::vector<std::byte>(bytes.begin() + static_cast<long>(b.offset),
                                   bytes.begin() + static_cast<long>(b.offset + b.bytes)),
            read);
  float last = 0;
  std::memcpy(&last, read.data() + 20, 4);
  EXPECT_TRUE(last == 0 && std::signbit(last));
}

TEST(Noise, OfADumpIsTakenBack) {
  const TempFolder folder;
  write_safetensors(folder / "n", {{"noise", {.dims = {1, 2, 1, 2}, .values = {3, 1, 4, 1}}}});
  EXPECT_EQ(draw(folder, {"--noise", "n", "--dump", "d"}).exit_code, 0);
  const SafetensorsFile file(open_file(folder / "d"));
  const TensorInfo& noise = file.tensors().at("noise");
  EXPECT_EQ(noise.dims, (std::vector<std::int64_t>{1, 2, 1, 2}));
  const std::vector<std::byte> bytes = file.read(noise);
  float third = 0;
  std::memcpy(&third, bytes.data() + 8, 4);
  EXPECT_EQ(third, 4.F);
}

TEST(Noise, OfTheWrongKindIsRefused) {
  const TempFolder folder;
  write_safetensors(folder / "name", {{"nose", {.dims = {1}, .values = {3}}}});
  write_safetensors(folder / "rank", {{"noise", {.dims = {1}, .values = {3}}}});
  const ProcessResult name = draw(folder, {"--noise", "name"});
  EXPECT_EQ(name.exit_code, 2);
  EXPECT_NE(name.err.find("--noise: expected a tensor 'noise'"), std::string::npos) << name.err;
  const ProcessResult rank = draw(folder, {"--noise", "rank"});
  EXPECT_EQ(rank.exit_code, 2);
  EXPECT_NE(rank.err.find("found F32 with 1"), std::string::npos) << rank.err;
}

}  // namespace
}  // namespace octet::test
