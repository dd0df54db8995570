#include "bill/cvss.h"

#include <gtest/gtest.h>

namespace octet::bill {
namespace {

/// Scores that the specification's examples and the national database of the US state.
TEST(Cvss, KnownScores) {
  const struct {
    const char* vector;
    double score;
  } known[] = {{"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 9.8},
               {"CVSS:3.0/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", 6.1},
               {"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N", 7.5},
               {"CVSS:3.0/AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H", 7.8},
               {"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", 10.0},
               {"CVSS:3.0/AV:P/AC:L/PR:N/UI:N/S:U/C:N/I:H/A:N", 4.6},
               {"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", 0.0}};
  for (const auto& [vector, score] : known) {
    const auto found = cvss_base_score(vector);
    ASSERT_TRUE(found) << vector;
    EXPECT_NEAR(*found, score, 1e-9) << vector;
  }
}

TEST(Cvss, OtherTextHasNoScore) {
  for (const char* text :
       {"", "CVSS:3.1/", "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N",
        "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H", "CVSS:3.1/AV:X/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
        "AV:N/AC:L/Au:N/C:P/I:P/A:P", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:"}) {
    EXPECT_FALSE(cvss_base_score(text)) << text;
  }
}

}  // namespace
}  // namespace octet::bill
