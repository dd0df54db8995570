#include "bill/debian_version.h"

#include <gtest/gtest.h>

namespace octet::bill {
namespace {

TEST(DebianVersion, OrdersAsDpkgDoes) {
  // Each newer than the one before; `dpkg --compare-versions` agrees with every neighbour.
  const char* rising[] = {
      "0~~",       "0~",      "0",          "0.9-1",         "1.0~rc1-1",      "1.0",
      "1.0-1~deb", "1.0-1",   "1.0-1+deb1", "1.0-1+deb12u9", "1.0-1+deb12u10", "1.0-2",
      "1.0a-1",    "1.0+b-1", "1.0.1-1",    "1.2-3",         "1.10-1",         "2.36-9+deb12u14",
      "1:0.1",     "2:0.0-1"};
  for (std::size_t i = 0; i < std::size(rising); ++i) {
    for (std::size_t k = 0; k < std::size(rising); ++k) {
      const int order = compare_debian_versions(rising[i], rising[k]);
      EXPECT_EQ(order < 0, i < k) << rising[i] << " " << rising[k];
      EXPECT_EQ(order > 0, i > k) << rising[i] << " " << rising[k];
    }
  }
}

TEST(DebianVersion, EqualInOtherSpelling) {
  EXPECT_EQ(compare_debian_versions("1.02-1", "1.2-1"), 0);
  EXPECT_EQ(compare_debian_versions("0:1.0", "1.0"), 0);
  EXPECT_EQ(compare_debian_versions("1.0-0", "1.0"), 0);
  EXPECT_EQ(compare_debian_versions("", ""), 0);
}

TEST(DebianVersion, LongNumbersDoNotOverflow) {
  EXPECT_LT(compare_debian_versions("1.99999999999999999999998", "1.99999999999999999999999"), 0);
  EXPECT_LT(compare_debian_versions("9223372036854775808", "18446744073709551616"), 0);
}

}  // namespace
}  // namespace octet::bill
