// octet sbom and octet audit as a user runs them, on the list of stub_bill.cc.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "process.h"

namespace octet::test {
namespace {

using Json = nlohmann::json;

ProcessResult octet_run(const TempFolder& folder, const std::vector<std::string>& words) {
  return run_process(OCTET_WITH_STUB, words, {.folder = folder.path()});
}

constexpr const char* kTracker =
    R"({"libpng1.6": {"CVE-2025-1": {"description": "d", "releases": {"bookworm":
      {"status": "resolved", "fixed_version": "1.6.39-2+deb12u1", "urgency": "high"}}}}})";

constexpr const char* kPolicy =
    "[[accept]]\nid = \"CVE-2025-1\"\nreason = \"not reached\"\nexpires = 2026-12-31\n";

TEST(Sbom, BothFormats) {
  const TempFolder folder;
  const ProcessResult cyclone = octet_run(folder, {"sbom"});
  EXPECT_EQ(cyclone.exit_code, 0) << cyclone.err;
  EXPECT_EQ(Json::parse(cyclone.out)["bomFormat"], "CycloneDX");
  const ProcessResult spdx = octet_run(folder, {"sbom", "--format", "spdx", "-o", "bill.json"});
  EXPECT_EQ(spdx.exit_code, 0) << spdx.err;
  EXPECT_EQ(spdx.out, "");
  EXPECT_EQ(Json::parse(read_file(folder / "bill.json"))["spdxVersion"], "SPDX-2.3");
  EXPECT_EQ(octet_run(folder, {"sbom", "--format", "swid"}).exit_code, 2);
  EXPECT_EQ(octet_run(folder, {"sbom", "more"}).exit_code, 2);
}

TEST(Version, ListsLibrariesAndTheirVersions) {
  const TempFolder folder;
  const Json json = Json::parse(octet_run(folder, {"version", "--json"}).out);
  EXPECT_EQ(json["libraries"][0]["version"], "1.6.39-2");
  EXPECT_EQ(json["build"]["cuda"]["architectures"], "90a-real");
}

TEST(Audit, TheGateClosesAndOpens) {
  const TempFolder folder;
  write_file(folder / "tracker.json", kTracker);
  write_file(folder / "policy.toml", kPolicy);
  const ProcessResult closed = octet_run(folder, {"audit", "tracker.json"});
  EXPECT_EQ(closed.exit_code, 7);
  EXPECT_EQ(closed.out, "high     CVE-2025-1  libpng1.6 1.6.39-2, fixed in 1.6.39-2+deb12u1\n");
  EXPECT_NE(closed.err.find("CUDA run time: not compared"), std::string::npos) << closed.err;
  EXPECT_NE(closed.err.find("expected nothing of medium or worse, found 1 advisory"),
            std::string::npos);
  EXPECT_EQ(octet_run(folder, {"audit", "tracker.json", "--fail-on", "critical"}).exit_code, 0);

  const std::vector<std::string> accepted = {"audit",  "tracker.json", "--policy",  "policy.toml",
                                             "--json", "--date",       "2026-12-31"};
  const ProcessResult open = octet_run(folder, accepted);
  EXPECT_EQ(open.exit_code, 0) << open.err;
  const Json json = Json::parse(open.out);
  EXPECT_TRUE(json["passed"]);
  EXPECT_EQ(json["findings"][0]["accepted"], "not reached");
  std::vector<std::string> later = accepted;
  later.back() = "2027-01-01";
  EXPECT_EQ(octet_run(folder, later).exit_code, 7);
}

TEST(Audit, RefusesWhatItCannotRead) {
  const TempFolder folder;
  write_file(folder / "tracker.json", kTracker);
  write_file(folder / "garbage", "{");
  EXPECT_EQ(octet_run(folder, {"audit"}).exit_code, 2);
  EXPECT_EQ(octet_run(folder, {"audit", "a", "b"}).exit_code, 2);
  EXPECT_EQ(octet_run(folder, {"audit", "tracker.json", "--date", "soon"}).exit_code, 2);
  EXPECT_EQ(octet_run(folder, {"audit", "absent"}).exit_code, 5);
  EXPECT_EQ(octet_run(folder, {"audit", "garbage"}).exit_code, 7);
  EXPECT_EQ(octet_run(folder, {"audit", "tracker.json", "--policy", "garbage"}).exit_code, 7);
}

}  // namespace
}  // namespace octet::test
