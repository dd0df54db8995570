#include "bill/policy.h"

#include <gtest/gtest.h>

#include "support/errors.h"

namespace octet::bill {
namespace {

TEST(Policy, ReadsEveryKey) {
  const Policy policy = read_policy(
      "fail_on = 'high'\nunknown_as = 'low'\n[[accept]]\nid = 'CVE-1'\npackage = 'zlib'\n"
      "reason = 'not reached'\nexpires = 2026-12-31\n[[accept]]\nid = 'CVE-2'\nreason = 'r'\n"
      "expires = 2027-01-02\n",
      "policy");
  EXPECT_EQ(policy.fail_on, Severity::kHigh);
  EXPECT_EQ(policy.unknown_as, Severity::kLow);
  ASSERT_EQ(policy.accepted.size(), 2U);
  EXPECT_EQ(policy.accepted[0].package, "zlib");
  EXPECT_EQ(policy.accepted[0].expires, "2026-12-31");
  EXPECT_EQ(policy.accepted[1].package, "");
  EXPECT_EQ(policy.accepted[1].expires, "2027-01-02");
  EXPECT_EQ(read_policy("", "policy").fail_on, Severity::kMedium);
}

TEST(Policy, RefusesWhatItDoesNotUnderstand) {
  const std::string whole = "[[accept]]\nid = 'C'\nreason = 'r'\n";
  for (const std::string& text :
       {std::string("fail_on = 'severe'"), std::string("fail_on = 3"), std::string("fail_off = 1"),
        std::string("= 1"), std::string("# caf\xc3\xa9"), std::string(100000, '.'),
        std::string("accept = 1"), std::string("accept = [1]"), whole,
        whole + "expires = '2026-12-31'", whole + "expires = 2026-12-31T00:00:00Z",
        whole + "expires = 2026-12-31\nwhy = 'x'",
        std::string("[[accept]]\nid = ''\nreason = 'r'\nexpires = 2026-12-31"),
        std::string("[[accept]]\nid = 'C'\nexpires = 2026-12-31")}) {
    test::expect_error(Code::kRefused, "policy: line ", [&] { (void)read_policy(text, "policy"); });
  }
}

}  // namespace
}  // namespace octet::bill
