// octet doctor as a user meets it: its text, its JSON, its flags. What it says of broken machines
// is in tests/environments.

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "process.h"

namespace octet::test {
namespace {

using Json = nlohmann::json;
using Words = std::vector<std::string>;

ProcessResult examine(const TempFolder& folder, Words words) {
  words.insert(words.begin(), "doctor");
  return run_process(OCTET_WITH_STUB, words, {.folder = folder.path()});
}

/// The level of the only finding of a check; empty: there is none, or several.
std::string level_of(const Json& report, const std::string& id) {
  std::string level;
  for (const Json& finding : report["findings"]) {
    if (finding["id"] == id)
      level = level.empty() ? finding["level"].get<std::string>() : "several";
  }
  return level;
}

TEST(Doctor, Text) {
  const TempFolder folder;
  const ProcessResult result = examine(folder, {"--device", "cpu"});
  EXPECT_LT(result.exit_code, 2) << result.out;
  EXPECT_EQ(result.err, "");
  for (const char* part :
       {"ok       cpu ", "ok       model ", "\nruns natively  ", "\nverdict  "}) {
    EXPECT_NE(result.out.find(part), std::string::npos) << part << " is not in " << result.out;
  }
  EXPECT_EQ(folder.files(), Words{}) << "nothing is written";
}

TEST(Doctor, AFailureHasARemedyBelowIt) {
  const TempFolder folder;
  const ProcessResult result = examine(folder, {"--device", "cpu", "-o", "none/a.png"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_NE(result.out.find("failure  output          none/: No such file or directory\n"
                            "                         -> mkdir -p 'none/'"),
            std::string::npos)
      << result.out;
  EXPECT_NE(result.out.find("failures: see above"), std::string::npos);
}

TEST(Doctor, Json) {
  const TempFolder folder;
  write_file(folder / "keys", "");
  const ProcessResult result =
      examine(folder, {"--json", "--device", "cpu", "--listen", "[::1]:0", "--keys", "keys"});
  const Json report = Json::parse(result.out);
  EXPECT_EQ(report["exit"], result.exit_code);
  EXPECT_EQ(level_of(report, "key-file"), "failure") << "mode 0644";
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(level_of(report, "output"), "ok");
  EXPECT_FALSE(report["verdict"]["native"].empty());
  for (const Json& finding : report["findings"]) {
    EXPECT_EQ(finding.size(), 4u);
    EXPECT_EQ(finding["remedy"] == "", finding["level"] == "ok") << finding;
  }
}

TEST(Doctor, ProblemsOfTheModelAreItsFindings) {
  const TempFolder folder;
  const Json other =
      Json::parse(examine(folder, {"--json", "--device", "cpu", "--model", "other"}).out);
  EXPECT_EQ(level_of(other, "model"), "failure");
  const Json locked = Json::parse(
      examine(folder, {"--json", "--device", "cpu", "--model", "other", "--lock", "l"}).out);
  EXPECT_EQ(level_of(locked, "model-lock"), "failure");
}

TEST(Doctor, ErrorsWithJsonCarryTheIdOfTheirCheck) {
  const TempFolder folder;
  const ProcessResult result = run_process(
      OCTET_WITH_STUB, {"generate", "x", "--json", "-o", "none/a.png"}, {.folder = folder.path()});
  EXPECT_EQ(result.exit_code, 5);
  EXPECT_TRUE(result.err.starts_with("octet: error: output: ")) << result.err;
  const Json error = Json::parse(result.out)["error"];
  EXPECT_EQ(error["check"], "output");
  EXPECT_EQ(error["code"], "io");
  EXPECT_EQ(error["exit"], 5);
  EXPECT_EQ("octet: error: " + error["message"].get<std::string>() + "\n", result.err);

  const ProcessResult locked = run_process(
      OCTET_WITH_STUB, {"verify", "other", "--lock", "l", "--json"}, {.folder = folder.path()});
  EXPECT_EQ(locked.exit_code, 7);
  EXPECT_TRUE(Json::accept(locked.out)) << "one object, the report: " << locked.out;
  const ProcessResult prompt =
      run_process(OCTET_WITH_STUB, {"generate", "--", "--json", "x"}, {.folder = folder.path()});
  EXPECT_EQ(prompt.out, "") << "not a flag";
}

TEST(Doctor, StandardOutputHasNoFolder) {
  const TempFolder folder;
  const ProcessResult result = examine(folder, {"--device", "cpu", "-o", "-"});
  EXPECT_NE(result.out.find("no folder for results is given"), std::string::npos) << result.out;
}

TEST(Doctor, Explain) {
  const TempFolder folder;
  const ProcessResult result = examine(folder, {"--explain", "gpu-fp8"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_TRUE(result.out.starts_with("gpu-fp8 looks at whether each GPU")) << result.out;
}

TEST(Doctor, BadInput) {
  const TempFolder folder;
  struct Case {
    Words words;
    const char* said;
  };
  const Case cases[] = {{{"now"}, "expected flags only, found 'now'"},
                        {{"--explain", "nothing"}, "--explain: expected one of cpu, "},
                        {{"--explain", ""}, "--explain: expected the id of a check"},
                        {{"--listen", "8080"}, "--listen: expected ADDRESS:PORT, found '8080'"},
                        {{"--listen", "a:99999"}, "--listen: expected ADDRESS:PORT"},
                        {{"--device", "gpu"}, "--device: expected auto, cpu, cuda or cuda:N"},
                        {{"--minutes", "0"}, "--minutes: expected "},
                        {{"--jsn"}, "unknown flag --jsn"}};
  for (const Case& c : cases) {
    const ProcessResult result = examine(folder, c.words);
    EXPECT_EQ(result.exit_code, 2) << c.said;
    EXPECT_NE(result.err.find(c.said), std::string::npos) << c.said << " is not in " << result.err;
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
    EXPECT_EQ(result.out, "");
  }
}

TEST(Doctor, Stress) {
  const TempFolder folder;
  const ProcessResult result =
      examine(folder, {"--stress", "--minutes", "0.005", "--device", "cpu", "--json", "--width",
                       "128", "--height", "64", "--batch", "2"});
  ASSERT_LT(result.exit_code, 2) << result.out;
  const Json report = Json::parse(result.out);
  EXPECT_GE(report["stress"].size(), 2u);
  for (const Json& row : report["stress"]) {
    EXPECT_EQ(row.size(), 9u);
    EXPECT_GT(row["memory_bytes"], 0);
    EXPECT_TRUE(row["celsius"].is_null()) << "no GPU";
  }
  EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), std::ssize(report["stress"]));
  std::string said;
  for (const Json& finding : report["findings"]) {
    if (finding["id"] == "stress") said += finding["says"].get<std::string>() + "\n";
  }
  for (const char* part :
       {" rounds, all numbers finite\n", "step time 0.0010 s at first, 0.0010 s at last (+0.0 %)",
        "not watched: no GPU",
        "GB, resident memory of the whole process; planned 0.400 GB, at most 1.037 GB is well"}) {
    EXPECT_NE(said.find(part), std::string::npos) << part << " is not in " << said;
  }
  EXPECT_EQ(said.find("not asked for"), std::string::npos);
  EXPECT_EQ(folder.files(), Words{}) << "nothing is written";
}

TEST(Doctor, StressWithALimitComparesNoPlan) {
  const TempFolder folder;
  const ProcessResult result =
      examine(folder, {"--stress", "--minutes", "0.001", "--device", "cpu", "--max-memory", "1GB"});
  EXPECT_NE(result.out.find("not compared: with --max-memory there is no plan"), std::string::npos)
      << result.out;
}

TEST(Doctor, StressOfWhatCannotBegin) {
  const TempFolder folder;
  const ProcessResult result = examine(folder, {"--stress", "--device", "cpu", "-o", "none/a.png"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_NE(result.out.find("failure  stress          not begun"), std::string::npos);
  EXPECT_EQ(result.err, "") << "no row";
  const ProcessResult plain = examine(folder, {"--device", "cpu"});
  EXPECT_NE(plain.out.find("ok       stress          not asked for"), std::string::npos);
}

TEST(Doctor, Help) {
  const TempFolder folder;
  const ProcessResult result = examine(folder, {"--help"});
  EXPECT_EQ(result.exit_code, 0);
  for (const char* part : {"Usage: octet doctor", "--explain ID", "--lock-full", "Exit codes"}) {
    EXPECT_NE(result.out.find(part), std::string::npos) << part;
  }
}

}  // namespace
}  // namespace octet::test
