// Looking for one check's findings.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "doctor/checks.h"
#include "doctor/doctor.h"

namespace octet::test {

/// The only result, which has this level and says all of `parts`; what is not ok has a remedy.
inline void expect_result(const doctor::Results& results, doctor::Level level,
                          const std::vector<std::string>& parts, const std::string& remedy = "") {
  ASSERT_EQ(results.size(), 1u);
  const doctor::Result& r = results.front();
  EXPECT_STREQ(name_of(r.level), name_of(level)) << r.says;
  for (const std::string& part : parts) {
    EXPECT_NE(r.says.find(part), std::string::npos) << part << " is not in: " << r.says;
  }
  EXPECT_EQ(r.remedy.empty(), level == doctor::Level::kOk) << r.remedy;
  EXPECT_NE(r.remedy.find(remedy), std::string::npos) << remedy << " is not in: " << r.remedy;
  EXPECT_EQ((r.says + r.remedy).find('\n'), std::string::npos) << r.says << r.remedy;
}

inline std::vector<doctor::Finding> findings_of(const std::vector<doctor::Finding>& all,
                                                const std::string& id) {
  std::vector<doctor::Finding> found;
  std::copy_if(all.begin(), all.end(), std::back_inserter(found),
               [&id](const doctor::Finding& f) { return f.id == id; });
  return found;
}

}  // namespace octet::test
