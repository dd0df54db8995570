// What a run says: the JSON object, lines for people, the progress display, quiet runs, streams
// that are closed or full, signals.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "process.h"
#include "progress_display.h"
#include "standard_streams.h"

namespace octet::test {
namespace {

using Json = nlohmann::json;
using Words = std::vector<std::string>;

ProcessResult octet_run(const TempFolder& folder, const Words& words, ProcessOptions options = {}) {
  options.folder = folder.path();
  return run_process(OCTET_WITH_STUB, words, options);
}

TEST(JsonReport, IsOneObjectWithEverything) {
  const TempFolder folder;
  const ProcessResult result = octet_run(
      folder, {"generate", "caf\xc3\xa9 \"x\"", "--json", "--seed", "18446744073709551615",
               "--batch", "2", "--guidance", "0.1", "--skip-layers", "1,2"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.err, "");
  const Json json = Json::parse(result.out);
  EXPECT_EQ(json["prompt"], "caf\xc3\xa9 \"x\"");
  EXPECT_EQ(json["seed"], 18446744073709551615U);
  EXPECT_EQ(json["images"].size(), 2U);
  EXPECT_EQ(json["images"][1]["path"], "out-1.png");
  EXPECT_EQ(json["images"][1]["seed"], 0U) << "seeds wrap around";
  EXPECT_EQ(json["images"][0]["width"], 64);
  EXPECT_NE(result.out.find("\"guidance\": 0.1,"), std::string::npos) << "shortest form";
  EXPECT_EQ(json["settings"]["skip_layers"], (std::vector<int>{1, 2}));
  EXPECT_EQ(json["settings"]["sampler"], "euler");
  EXPECT_EQ(json["components"][0]["stored"], "f8_e4m3");
  EXPECT_EQ(json["components"][0]["compute"], "w8a16");
  EXPECT_EQ(json["components"][0]["reason"], "no FP8 arithmetic on this CPU");
  EXPECT_EQ(json["model"]["digest"], std::string(64, 'a'));
  EXPECT_EQ(json["memory"]["activation_peak_bytes"], 123456);
  EXPECT_GT(json["memory"]["peak_resident_bytes"], 1 << 20);
  for (const char* stage : {"load", "text", "denoise", "decode", "encode", "total"}) {
    EXPECT_TRUE(json["seconds"][stage].is_number()) << stage;
  }
  EXPECT_TRUE(json["warnings"].empty());
  EXPECT_FALSE(json["version"].get<std::string>().empty());
}

TEST(JsonReport, SurvivesAFileNameThatIsNotUtf8) {
  const TempFolder folder;
  const ProcessResult result = octet_run(folder, {"generate", "x", "--json", "-o", "\xff.png"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(Json::parse(result.out)["images"].size(), 1U);
}

TEST(JsonReport, CarriesWarningsThatAreAlsoSaid) {
  const TempFolder folder;
  const ProcessResult result = octet_run(folder, {"generate", "x", "--json", "--model", "wordy"});
  EXPECT_EQ(Json::parse(result.out)["warnings"][0], "prompt: 90 tokens, the last 13 are ignored");
  EXPECT_EQ(result.err, "octet: warning: prompt: 90 tokens, the last 13 are ignored\n");
}

TEST(Version, IsToldInBothForms) {
  const TempFolder folder;
  const ProcessResult lines = octet_run(folder, {"version"});
  EXPECT_EQ(lines.exit_code, 0);
  EXPECT_TRUE(lines.out.starts_with("octet ")) << lines.out;
  const Json json = Json::parse(octet_run(folder, {"version", "--json"}).out);
  for (const char* key : {"version", "commit", "compiler", "instruction_set"}) {
    EXPECT_TRUE(json[key].is_string()) << key;
  }
  EXPECT_EQ(octet_run(folder, {"--version"}).out, lines.out);
}

TEST(Help, FitsATerminalAndNamesEveryFlag) {
  const TempFolder folder;
  const ProcessResult help = octet_run(folder, {"generate", "x", "--steps", "3", "--help"});
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_EQ(folder.files(), Words{});
  for (const char* flag :
       {"--model",       "--variant",    "--negative",   "--steps",    "--guidance",  "--shift",
        "--seed",        "--width",      "--height",     "--batch",    "--sampler",   "--schedule",
        "--skip-layers", "--skip-scale", "--skip-start", "--skip-end", "--t5-length", "--compat",
        "--device",      "--compute",    "--threads",    "-o",         "--noise",     "--dump",
        "--dump-steps",  "--json",       "--quiet",      "--like"}) {
    EXPECT_NE(help.out.find(std::string("  ") + flag), std::string::npos) << flag;
  }
  std::size_t begin = 0;
  while (begin < help.out.size()) {
    const std::size_t end = help.out.find('\n', begin);
    EXPECT_LE(end - begin, 80U) << help.out.substr(begin, end - begin);
    begin = end + 1;
  }
  EXPECT_EQ(octet_run(folder, {"--help"}).exit_code, 0);
  EXPECT_EQ(octet_run(folder, {"version", "-h"}).exit_code, 0);
}

TEST(Streams, PromptComesFromStandardInputWithoutItsLineEnd) {
  const TempFolder folder;
  const ProcessResult piped =
      octet_run(folder, {"generate", "-", "--json"}, {.input = "two\nlines\r\n"});
  EXPECT_EQ(Json::parse(piped.out)["prompt"], "two\nlines");
}

TEST(Streams, AMegabyteOfPromptGoesThrough) {
  const TempFolder folder;
  const ProcessResult result =
      octet_run(folder, {"generate", "-", "--json"}, {.input = std::string(1000000, 'x')});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(Json::parse(result.out)["prompt"].get<std::string>().size(), 1000000U);
}

TEST(Streams, OddPromptsAreTakenAsTheyAre) {
  const TempFolder folder;
  for (const std::string prompt : {"", "{}", "[a, b]", "version", "%d", "a=b", "\"quoted\""}) {
    const ProcessResult result = octet_run(folder, {"generate", prompt, "--json"});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(Json::parse(result.out)["prompt"], prompt);
  }
  const ProcessResult dashed = octet_run(folder, {"generate", "--json", "--", "--steps"});
  EXPECT_EQ(Json::parse(dashed.out)["prompt"], "--steps");
  const ProcessResult negative = octet_run(folder, {"generate", "x", "--json", "--negative="});
  EXPECT_EQ(Json::parse(negative.out)["negative_prompt"], "");
}

TEST(Streams, ClosedOrFullStandardOutputIsAnError) {
  const TempFolder folder;
  const Words words = {"generate", "x", "--json"};
  for (const ProcessOptions& options :
       {ProcessOptions{.stdout_file = "/dev/full"}, ProcessOptions{.close_stdout = true},
        ProcessOptions{.close_pipe = true}}) {
    const ProcessResult result = octet_run(folder, words, options);
    EXPECT_EQ(result.exit_code, 5) << result.signal;
    EXPECT_NE(result.err.find("standard output: cannot write"), std::string::npos) << result.err;
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
  }
  const std::string picture = read_file(folder / "out.png");
  EXPECT_TRUE(picture.starts_with("\x89PNG")) << "messages went into the file";
  EXPECT_EQ(octet_run(folder, {"--help"}, {.stdout_file = "/dev/full"}).exit_code, 5);
}

TEST(Streams, FilesNeverGetTheNumberOfAClosedStream) {
  const pid_t child = ::fork();
  if (child == 0) {
    for (const int fd : {0, 1, 2}) ::close(fd);
    cli::prepare_standard_streams();
    const int file = ::open("/dev/null", O_RDONLY);
    const bool refused = ::write(1, "x", 1) < 0;
    ::_exit(file > 2 && refused ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST(Streams, MemoryLimitIsAnErrorWithItsOwnCode) {
  if (kSanitized) GTEST_SKIP() << "sanitizers need the address space";
  const TempFolder folder;
  const ProcessResult result =
      octet_run(folder, {"generate", "x", "--width", "8192", "--height", "8192"},
                {.memory_limit = 128 << 20});
  EXPECT_EQ(result.exit_code, 4) << result.err << result.signal;
  EXPECT_EQ(folder.files(), Words{});
}

TEST(Progress, PlainLinesComeAboutEveryTenth) {
  const TempFolder folder;
  const ProcessResult result = octet_run(folder, {"generate", "x", "--steps", "250"});
  const auto lines = std::count(result.err.begin(), result.err.end(), '\n');
  EXPECT_GE(lines, 12);
  EXPECT_LE(lines, 18);
  EXPECT_EQ(result.err.find('\r'), std::string::npos);
  EXPECT_NE(result.err.find("250/250 steps"), std::string::npos);
}

TEST(Progress, TerminalGetsABarThatIsRemoved) {
  if (!has_terminals()) GTEST_SKIP() << "no terminal can be opened here";
  const TempFolder folder;
  const ProcessResult result = octet_run(
      folder, {"generate", "x", "--steps", "10", "--model", "slow"}, {.terminal_err = true});
  EXPECT_NE(result.err.find("\r\x1b[K[####"), std::string::npos) << result.err;
  EXPECT_NE(result.err.find(" s left"), std::string::npos);
  EXPECT_NE(result.err.find("\r\x1b[Kout.png  seed"), std::string::npos) << result.err;
}

TEST(Progress, QuietSaysNothing) {
  const TempFolder folder;
  const ProcessResult result = octet_run(folder, {"generate", "x", "--quiet", "--model", "wordy"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.err, "");
  EXPECT_EQ(result.out, "");
  EXPECT_NE(octet_run(folder, {"generate", "x", "--quiet", "--steps", "0"}).err, "");
}

TEST(Progress, TimeLeftIsExtrapolatedFromTheMeanStep) {
  EXPECT_EQ(cli::progress_text({Stage::kDenoise, 5, 20, 1.0}), "5/20 steps  1.0 s, 3.0 s left");
  EXPECT_EQ(cli::progress_text({Stage::kDenoise, 20, 20, 4.0}), "20/20 steps  4.0 s");
  EXPECT_EQ(cli::progress_text({Stage::kDenoise, 1, 100, 100.0}),
            "1/100 steps  1:40 min, 2:45 h left");
}

TEST(Progress, BytesTellRateAndTimeLeft) {
  EXPECT_EQ(cli::progress_text({.done = 1200000000, .total = 16000000000, .seconds = 1}),
            "1.20 of 16.00 GB  1.20 GB/s, 12.3 s left");
  EXPECT_EQ(cli::progress_text({.done = 50, .total = 50, .seconds = 0}),
            "0.00 of 0.00 GB  0.00 GB/s");
}

TEST(Progress, BarFitsEveryWidth) {
  for (int columns = 0; columns < 200; ++columns) {
    for (const double part : {0.0, 0.05, 0.5, 1.0, 1.5}) {
      const std::string bar = cli::progress_bar("5/20 steps  1.0 s", part, columns);
      EXPECT_LE(bar.size(), static_cast<std::size_t>(std::max(columns - 1, 0)));
    }
  }
  const std::string bar = cli::progress_bar("5/20 steps  1.0 s, 3.0 s left", 0.25, 60);
  EXPECT_EQ(bar.substr(0, 10), "[######...");
}

TEST(Interrupt, StopsWithinAStepAndWritesNothing) {
  for (const int number : {SIGINT, SIGTERM}) {
    const TempFolder folder;
    const ProcessResult result =
        octet_run(folder, {"generate", "x", "--model", "slow", "--steps", "400"},
                  {.signal = number, .signal_after = "loaded in"});
    EXPECT_EQ(result.exit_code, 130) << result.signal;
    EXPECT_LT(result.seconds_after_signal, 5.0);
    EXPECT_TRUE(result.err.ends_with("octet: interrupted\n")) << result.err;
    EXPECT_EQ(folder.files(), Words{});
  }
}

TEST(Interrupt, LeavesTheTerminalClean) {
  if (!has_terminals()) GTEST_SKIP() << "no terminal can be opened here";
  const TempFolder folder;
  const ProcessResult result =
      octet_run(folder, {"generate", "x", "--model", "slow", "--steps", "400"},
                {.terminal_err = true, .signal = SIGINT, .signal_after = "2/400"});
  EXPECT_EQ(result.exit_code, 130);
  EXPECT_NE(result.err.find("\r\x1b[Koctet: interrupted\r\n"), std::string::npos) << result.err;
}

TEST(Interrupt, LeavesTheTerminalCleanWhileLoading) {
  if (!has_terminals()) GTEST_SKIP() << "no terminal can be opened here";
  const TempFolder folder;
  const ProcessResult result =
      octet_run(folder, {"generate", "x", "--model", "loading"},
                {.terminal_err = true, .signal = SIGINT, .signal_after = "now loading"});
  EXPECT_EQ(result.exit_code, 130) << result.signal;
  EXPECT_NE(result.err.find("\r\x1b[Kloading loading ..."), std::string::npos) << result.err;
  EXPECT_TRUE(result.err.ends_with("\r\x1b[Koctet: interrupted\r\n")) << result.err;
}

TEST(Interrupt, SecondSignalKills) {
  const TempFolder folder;
  const ProcessResult result =
      octet_run(folder, {"generate", "x", "--model", "stuck", "--steps", "1"},
                {.signal = SIGINT, .signals = 2, .signal_after = "now drawing"});
  EXPECT_EQ(result.signal, SIGINT) << result.exit_code;
  EXPECT_EQ(folder.files(), Words{});
}

TEST(Interrupt, WhileLoadingEndsAtOnce) {
  const TempFolder folder;
  const ProcessResult result = octet_run(folder, {"generate", "x", "--model", "loading"},
                                         {.signal = SIGTERM, .signal_after = "now loading"});
  EXPECT_EQ(result.exit_code, 130) << result.signal;
  EXPECT_LT(result.seconds_after_signal, 5.0);
  EXPECT_TRUE(result.err.ends_with("octet: interrupted\n")) << result.err;
}

}  // namespace
}  // namespace octet::test
