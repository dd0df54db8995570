// octet inspect as a user meets it.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "process.h"

namespace octet::test {
namespace {

using Json = nlohmann::json;

ProcessResult inspect(std::vector<std::string> words) {
  const TempFolder folder;
  words.insert(words.begin(), "inspect");
  return run_process(OCTET_WITH_STUB, words, {.folder = folder.path()});
}

TEST(Inspect, SaysWhatThereIs) {
  const ProcessResult result = inspect({"emoji"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.err, "");
  for (const char* part : {"model           emoji (built-in)", "F8_E4M3 3.00 GB",
                           "scales per row (3 weights), from 0.5", "refused: width: too large",
                           "nothing is refused", " 512x512 "}) {
    EXPECT_NE(result.out.find(part), std::string::npos) << part << " is not in " << result.out;
  }
}

TEST(Inspect, ProblemsAreAllNamedAndExitCode3) {
  const ProcessResult result = inspect({"other"});
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_NE(result.out.find("refused         vae: "), std::string::npos) << result.out;
  EXPECT_NE(result.out.find("refused         tokenizer: missing\n"), std::string::npos);
  EXPECT_EQ(result.out.find("nothing is refused"), std::string::npos);
}

TEST(Inspect, Json) {
  const ProcessResult result = inspect({"emoji", "--json"});
  EXPECT_EQ(result.exit_code, 0);
  const Json json = Json::parse(result.out);
  EXPECT_EQ(json["usable"], true);
  EXPECT_EQ(json["components"][0]["dtypes"]["F8_E4M3"], 3000000000U);
  EXPECT_EQ(json["components"][0]["scale_range"], (std::vector<float>{0.5F, 2}));
  EXPECT_EQ(json["components"][1]["scale_range"], nullptr);
  EXPECT_EQ(json["memory"][0]["offload"]["none"], 4);
  EXPECT_EQ(json["memory"][1]["refused"], "width: too large");
  const ProcessResult bad = inspect({"other", "--json"});
  EXPECT_EQ(bad.exit_code, 3);
  EXPECT_EQ(Json::parse(bad.out)["problems"].size(), 2U);
}

TEST(Inspect, BadInput) {
  EXPECT_EQ(inspect({}).exit_code, 2);
  EXPECT_EQ(inspect({"missing"}).exit_code, 5);
  EXPECT_EQ(inspect({"emoji", "--lora", "x"}).exit_code, 2) << "not a flag of this command";
  EXPECT_EQ(inspect({"emoji", "--lock", "x"}).exit_code, 0);
  EXPECT_EQ(inspect({"--help"}).exit_code, 0);
}

}  // namespace
}  // namespace octet::test
