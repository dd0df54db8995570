// What an audit lets pass: a threshold, and weaknesses that somebody has looked at, until a date.
//
//   fail_on = "medium"        # low, medium (unless said otherwise), high or critical
//   unknown_as = "medium"     # how advisories without a severity count
//   [[accept]]
//   id = "CVE-2025-1"
//   package = "libpng1.6"     # source package; may be left out
//   reason = "only in a tool that Octet does not contain"
//   expires = 2026-12-31      # the last day
//
// ASCII alone.
//
// Thread-safety: pure. Errors: Error(kRefused) naming the file, the line and what was expected: a
// policy that cannot be understood lets nothing pass.
#pragma once

#include <string>
#include <vector>

#include "bill/advisories.h"

namespace octet::bill {

struct Acceptance {
  std::string id;
  std::string package;  // empty: any
  std::string reason;
  std::string expires;  // "2026-12-31"
};

struct Policy {
  Severity fail_on = Severity::kMedium;
  Severity unknown_as = Severity::kMedium;
  std::vector<Acceptance> accepted;
};

[[nodiscard]] Policy read_policy(const std::string& text, const std::string& name);

}  // namespace octet::bill
