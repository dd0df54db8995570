#include "bill/audit.h"

#include <gtest/gtest.h>

#include "sample_bill.h"

namespace octet::bill {
namespace {

Advisory advisory(const char* id, const char* package, Severity severity, const char* fixed) {
  Advisory a;
  a.id = id;
  a.aliases = {std::string("ALIAS-") + id};
  a.package = package;
  a.severity = severity;
  a.ranges = {{"", fixed, ""}};
  return a;
}

Advisories sample_advisories() {
  Advisories out;
  out.list = {advisory("A", "libpng1.6", Severity::kLow, "1.6.40-1"),
              advisory("B", "libpng1.6", Severity::kHigh, "1.6.39-2"),  // fixed before ours
              advisory("C", "zlib", Severity::kCritical, ""),
              advisory("D", "zlib", Severity::kUnknown, "1:1.3-1"),
              advisory("E", "zlib", Severity::kHigh, "2.0-1")};  // without our epoch: older
  return out;
}

std::string ids(const AuditReport& report, bool counting) {
  std::string text;
  for (const Finding& f : report.findings) text += !counting || f.counts ? f.id : "";
  return text;
}

TEST(Audit, FindsWhatIsAffectedWorstFirst) {
  const AuditReport report = audit(sample_bill(), sample_advisories(), {}, "2026-11-25");
  EXPECT_EQ(ids(report, false), "CDA");
  EXPECT_EQ(ids(report, true), "CD") << "unknown counts as medium";
  EXPECT_EQ(report.counting, 2U);
  EXPECT_EQ(report.findings[0].fixed, "");
  EXPECT_EQ(report.findings[1].fixed, "1:1.3-1");
  EXPECT_EQ(report.findings[2].component, "libpng");
  EXPECT_EQ(report.not_covered, std::vector<std::string>{"CUDA run time"});
}

TEST(Audit, ThresholdAndWeightOfUnknown) {
  Policy policy;
  policy.fail_on = Severity::kLow;
  EXPECT_EQ(ids(audit(sample_bill(), sample_advisories(), policy, "2026-11-25"), true), "CDA");
  policy.fail_on = Severity::kCritical;
  EXPECT_EQ(ids(audit(sample_bill(), sample_advisories(), policy, "2026-11-25"), true), "C");
  policy.unknown_as = Severity::kCritical;
  EXPECT_EQ(ids(audit(sample_bill(), sample_advisories(), policy, "2026-11-25"), true), "CD");
}

TEST(Audit, AcceptancesHoldThroughTheirLastDay) {
  Policy policy;
  policy.accepted = {{"C", "zlib", "not reached", "2026-11-25"},
                     {"ALIAS-D", "", "not reached", "2026-11-25"},
                     {"A", "zlib", "of another package", "2027-01-01"}};
  const AuditReport held = audit(sample_bill(), sample_advisories(), policy, "2026-11-25");
  EXPECT_EQ(held.counting, 0U);
  EXPECT_EQ(held.unused, std::vector<std::string>{"A"});
  const AuditReport over = audit(sample_bill(), sample_advisories(), policy, "2026-11-26");
  EXPECT_EQ(ids(over, true), "CD");
  EXPECT_EQ(over.findings[0].expired, "2026-11-25");
  EXPECT_EQ(over.findings[0].accepted, "");
}

}  // namespace
}  // namespace octet::bill
