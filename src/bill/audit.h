// Compares what the program contains with published weaknesses and a policy. Thread-safety: pure.
#pragma once

#include <string>
#include <vector>

#include "bill/policy.h"

namespace octet::bill {

struct Finding {
  std::string id;
  std::string package;    // source package
  std::string version;    // that the program contains
  std::string fixed;      // empty: no fixed version is known
  std::string component;  // "libpng"
  Severity severity = Severity::kUnknown;
  Severity weight = Severity::kUnknown;  // the severity, or what the policy puts in for unknown
  std::string summary;
  std::string accepted;  // the reason; empty: not accepted
  std::string expired;   // the date of an acceptance that no longer holds
  bool counts = false;   // reaches the threshold and is not accepted
};

struct AuditReport {
  std::vector<Finding> findings;         // worst first
  std::vector<std::string> not_covered;  // components that the file cannot speak of
  std::vector<std::string> unused;       // acceptances that match nothing
  std::size_t counting = 0;
};

/// `today` is "2026-11-25"; an acceptance holds on its last day.
[[nodiscard]] AuditReport audit(const Bill& bill, const Advisories& advisories,
                                const Policy& policy, const std::string& today);

}  // namespace octet::bill
