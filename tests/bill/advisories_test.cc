#include "bill/advisories.h"

#include <gtest/gtest.h>

#include "sample_bill.h"
#include "support/errors.h"

namespace octet::bill {
namespace {

Advisories read(const std::string& text) { return read_advisories(text, "export", sample_bill()); }

std::string tracker(const std::string& release) {
  return R"({"libpng1.6": {"CVE-2025-1": {"description": "d", "releases": {"bookworm": )" +
         release +
         R"(, "trixie": {"status": "resolved", "fixed_version": "2", "urgency": "low"}}}},
          "unrelated": {"CVE-2025-2": {"releases": 7}}})";
}

std::string record(const std::string& affected) {
  return R"({"id": "DSA-1", "aliases": ["CVE-2025-1"], "summary": "s", "affected": [)" + affected +
         "]}";
}

std::string affected(const std::string& rest, const std::string& system = "Debian:12") {
  return R"({"package": {"ecosystem": ")" + system + R"(", "name": "libpng1.6"}, )" + rest + "}";
}

TEST(DebianTracker, StatusOfOurRelease) {
  const Advisories open = read(tracker(R"({"status": "open", "urgency": "high"})"));
  EXPECT_EQ(open.format, "Debian security tracker");
  EXPECT_EQ(open.packages, std::vector<std::string>{"libpng1.6"});
  ASSERT_EQ(open.list.size(), 1U);
  EXPECT_EQ(open.list[0].severity, Severity::kHigh);
  EXPECT_TRUE(affects(open.list[0], "99"));

  const Advisories fixed =
      read(tracker(R"({"status": "resolved", "fixed_version": "1.6.39-2", "urgency": "low**"})"));
  ASSERT_EQ(fixed.list.size(), 1U);
  EXPECT_EQ(fixed.list[0].severity, Severity::kLow);
  EXPECT_TRUE(affects(fixed.list[0], "1.6.39-1"));
  EXPECT_FALSE(affects(fixed.list[0], "1.6.39-2"));
  EXPECT_FALSE(affects(fixed.list[0], "1.6.39-2+deb12u1"));

  // "0": the code of this release never had the flaw.
  EXPECT_TRUE(read(tracker(R"({"status": "resolved", "fixed_version": "0"})")).list.empty());
  EXPECT_EQ(read(tracker(R"({"status": "undetermined"})")).list.at(0).severity, Severity::kUnknown);
}

TEST(DebianTracker, RefusesWhatItDoesNotUnderstand) {
  for (const char* release :
       {R"({"status": "maybe"})", R"({"status": "resolved"})", "{}", "7", R"({"status": 1})"}) {
    test::expect_error(Code::kRefused, "export", [&] { (void)read(tracker(release)); });
  }
  for (const char* text :
       {"", "{", "7", "\"x\"", R"({"libpng1.6": 1})", R"({"libpng1.6": {"CVE-1": {}}})"}) {
    test::expect_error(Code::kRefused, "export", [&] { (void)read(text); });
  }
}

TEST(Advisories, AFileAboutOtherThingsClearsNobody) {
  test::expect_error(Code::kRefused, "found none", [] { (void)read(R"({"emacs": {}})"); });
  test::expect_error(Code::kRefused, "found none", [] { (void)read("{}"); });
  test::expect_error(Code::kRefused, "found none", [] { (void)read("[]"); });
  test::expect_error(Code::kRefused, "found none",
                     [] { (void)read(record(affected(R"("versions": ["1"])", "Debian:11"))); });
  Bill elsewhere = sample_bill();
  elsewhere.distribution = "fedora";
  test::expect_error(Code::kRefused, "built from packages of Debian",
                     [&] { (void)read_advisories("{}", "export", elsewhere); });
}

TEST(Osv, RangesAndVersions) {
  const Advisories found = read(record(affected(
      R"("versions": ["0.5-1"], "ranges": [{"type": "GIT", "events": []}, {"type": "ECOSYSTEM",
         "events": [{"introduced": "1.0"}, {"fixed": "1.2-3"}, {"introduced": "2.0"},
                    {"last_affected": "2.1"}, {"introduced": "3~rc1"}]}])")));
  EXPECT_EQ(found.format, "OSV");
  ASSERT_EQ(found.list.size(), 1U);
  const Advisory& advisory = found.list[0];
  EXPECT_EQ(advisory.aliases, std::vector<std::string>{"CVE-2025-1"});
  for (const char* version : {"0.5-1", "1.0", "1.2-2", "2.0-1", "2.1", "3~rc1", "9"}) {
    EXPECT_TRUE(affects(advisory, version)) << version;
  }
  for (const char* version : {"0.5-2", "0.9", "1.2-3", "1.9", "2.1-1", "3~beta"}) {
    EXPECT_FALSE(affects(advisory, version)) << version;
  }
}

TEST(Osv, EverySpellingOfAList) {
  const std::string one = record(affected(R"("versions": ["1"])"));
  for (const std::string& text : {one, "[" + one + "]", R"({"vulns": [)" + one + "]}"}) {
    EXPECT_EQ(read(text).list.size(), 1U) << text;
  }
  std::string gone = one;
  gone.insert(1, R"("withdrawn": "2025-01-01T00:00:00Z", )");
  EXPECT_EQ(read("[" + one + "," + gone + "]").list.size(), 1U);
}

TEST(Osv, Severities) {
  const auto severity = [](const std::string& extra) {
    std::string text = record(affected(R"("versions": ["1"])"));
    return read(text.insert(1, extra)).list.at(0).severity;
  };
  EXPECT_EQ(severity(""), Severity::kUnknown);
  EXPECT_EQ(severity(R"("database_specific": {"severity": "MODERATE"}, )"), Severity::kMedium);
  EXPECT_EQ(severity(R"("severity": [{"type": "CVSS_V3",
              "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}], )"),
            Severity::kCritical);
  EXPECT_EQ(
      read(record(affected(R"("versions": ["1"], "ecosystem_specific": {"urgency": "high"})")))
          .list.at(0)
          .severity,
      Severity::kHigh);
}

TEST(Osv, RefusesWhatItDoesNotUnderstand) {
  for (const std::string& text :
       {std::string("[7]"), std::string(R"([{"affected": []}])"), std::string(R"({"vulns": 1})"),
        record(affected(R"("ranges": [{"type": "ECOSYSTEM"}])")),
        record(affected(R"("versions": [1])"))}) {
    test::expect_error(Code::kRefused, "export", [&] { (void)read(text); });
  }
}

}  // namespace
}  // namespace octet::bill
