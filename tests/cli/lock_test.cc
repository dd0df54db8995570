// octet lock and octet verify as a user meets them.

#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "process.h"

namespace octet::test {
namespace {

using Json = nlohmann::json;
using Words = std::vector<std::string>;

ProcessResult octet_run(const TempFolder& folder, const Words& words, ProcessOptions options = {}) {
  options.folder = folder.path();
  return run_process(OCTET_WITH_STUB, words, options);
}

void expect_refused(const ProcessResult& result, int exit_code, const std::string& said) {
  EXPECT_EQ(result.exit_code, exit_code) << result.err;
  EXPECT_TRUE(result.err.starts_with("octet: error: ")) << result.err;
  EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
  EXPECT_NE(result.err.find(said), std::string::npos) << "no '" << said << "' in " << result.err;
}

TEST(Lock, WritesOneFile) {
  const TempFolder folder;
  const ProcessResult result = octet_run(folder, {"lock", "emoji"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(result.err, "octet.lock  lock of emoji\n");
  EXPECT_EQ(folder.files(), Words{"octet.lock"});
  EXPECT_EQ(read_file(folder / "octet.lock"), "lock of emoji (none)\n");
  const ProcessResult other =
      octet_run(folder, {"lock", "emoji", "-o", "x", "--variant", "fp8", "--quiet"});
  EXPECT_EQ(other.err, "");
  EXPECT_EQ(read_file(folder / "x"), "lock of emoji fp8\n");
}

TEST(Lock, BadInputWritesNothing) {
  const TempFolder folder;
  expect_refused(octet_run(folder, {"lock"}), 2, "MODEL: expected one folder, file or name");
  expect_refused(octet_run(folder, {"lock", ""}), 2, "found an empty one");
  expect_refused(octet_run(folder, {"lock", "a", "b"}), 2, "found 2");
  expect_refused(octet_run(folder, {"lock", "emoji", "-o", ""}), 2, "--output: expected");
  expect_refused(octet_run(folder, {"lock", "emoji", "-o", "no/x"}), 5, "-o");
  expect_refused(octet_run(folder, {"lock", "emoji", "--stpes"}), 2, "unknown flag --stpes");
  expect_refused(octet_run(folder, {"lock", "missing"}), 5, "'missing'");
  expect_refused(octet_run(folder, {"lock", "corrupt"}), 3, "truncated");
  EXPECT_EQ(folder.files(), Words{});
}

TEST(Lock, IsInterruptedAndWritesNothing) {
  const TempFolder folder;
  const ProcessResult result =
      octet_run(folder, {"lock", "slow"}, {.signal = SIGINT, .signal_after = "GB/s"});
  EXPECT_EQ(result.exit_code, 130) << result.signal;
  EXPECT_LT(result.seconds_after_signal, 5.0);
  EXPECT_TRUE(result.err.ends_with("octet: interrupted\n")) << result.err;
  EXPECT_EQ(folder.files(), Words{});
}

TEST(Lock, ReadingIsShownOnATerminal) {
  if (!has_terminals()) GTEST_SKIP() << "no pseudo-terminals here";
  const TempFolder folder;
  const ProcessResult result = octet_run(
      folder, {"lock", "slow"}, {.terminal_err = true, .signal = SIGINT, .signal_after = "s left"});
  EXPECT_NE(result.err.find("] reading "), std::string::npos) << result.err;
  EXPECT_NE(result.err.find(" of 20.00 GB  "), std::string::npos) << result.err;
}

TEST(Verify, Matches) {
  const TempFolder folder;
  const ProcessResult quick = octet_run(folder, {"verify", "emoji", "--lock", "l"});
  EXPECT_EQ(quick.exit_code, 0);
  EXPECT_EQ(quick.out, "");
  EXPECT_EQ(quick.err, "emoji: matches l: 3 files, 0.00 GB, headers and small files\n");
  const ProcessResult full = octet_run(folder, {"verify", "emoji", "--lock", "l", "--full"});
  EXPECT_EQ(full.err, "emoji: matches l: 3 files, 2.00 GB, every byte\n");
  EXPECT_EQ(octet_run(folder, {"verify", "emoji", "--lock", "l", "--quiet"}).err, "");
  for (const char* flag : {"--vae", "--t5", "--text-encoders", "--variant", "--lora"}) {
    EXPECT_EQ(octet_run(folder, {"verify", "emoji", "--lock", "l", flag, "x"}).exit_code, 0);
    EXPECT_EQ(octet_run(folder, {"lock", "emoji", "--quiet", flag, "x"}).exit_code, 0) << flag;
  }
}

TEST(Verify, DifferencesAreLinesAndExitCode7) {
  const TempFolder folder;
  const ProcessResult result = octet_run(folder, {"verify", "other", "--lock", "l"});
  expect_refused(result, 7, "other: expected the model of l, found 2 differences");
  EXPECT_EQ(result.out, "file a: size: locked 1, found 2\nvariant: locked fp8, found \xff\n");
  const ProcessResult quiet = octet_run(folder, {"verify", "other", "--lock", "l", "--quiet"});
  EXPECT_EQ(quiet.out, result.out);
}

TEST(Verify, Json) {
  const TempFolder folder;
  const ProcessResult result = octet_run(folder, {"verify", "other", "--lock", "l", "--json"});
  EXPECT_EQ(result.exit_code, 7);
  const Json json = Json::parse(result.out);
  EXPECT_EQ(json["matches"], false);
  EXPECT_EQ(json["differences"][0], "file a: size: locked 1, found 2");
  const ProcessResult good =
      octet_run(folder, {"verify", "emoji", "--lock", "l", "--json", "--full"});
  EXPECT_EQ(good.exit_code, 0);
  EXPECT_EQ(good.err, "");
  EXPECT_EQ(Json::parse(good.out)["matches"], true);
  EXPECT_EQ(Json::parse(good.out)["full"], true);
}

TEST(Verify, BadInput) {
  const TempFolder folder;
  expect_refused(octet_run(folder, {"verify", "emoji"}), 2, "--lock: expected the name of a lock");
  expect_refused(octet_run(folder, {"verify", "--lock", "l"}), 2, "MODEL: expected one");
  expect_refused(octet_run(folder, {"verify", "emoji", "--lock", ""}), 2, "--lock: expected");
  expect_refused(octet_run(folder, {"verify", "missing", "--lock", "l"}), 5, "'missing'");
}

TEST(LockHelp, ExplainsItself) {
  const TempFolder folder;
  for (const char* command : {"lock", "verify"}) {
    const ProcessResult result = octet_run(folder, {command, "--help"});
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_NE(result.out.find(std::string("Usage: octet ") + command), std::string::npos);
    EXPECT_NE(octet_run(folder, {"--help"}).out.find(command), std::string::npos);
  }
}

}  // namespace
}  // namespace octet::test
