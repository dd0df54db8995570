// Published weaknesses of packages, read from a file: an export of Debian's security tracker, or
// records of OSV (one, an array of them, or {"vulns": [...]}).
//
// Only what concerns the distribution and the source packages of a bill is kept. Nothing is
// fetched. Formats: security-tracker.debian.org/tracker/data/json; ossf.github.io/osv-schema.
// Thread-safety: pure. Errors: Error(kRefused): a file that cannot be understood clears nobody.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "bill/bill.h"

namespace octet::bill {

/// Largest file that is read.
inline constexpr std::uint64_t kMaxAdvisoryBytes = std::uint64_t{512} << 20;

enum class Severity { kUnknown, kLow, kMedium, kHigh, kCritical };

/// "low"; and back, kUnknown for words that name none.
[[nodiscard]] const char* severity_name(Severity severity);
[[nodiscard]] Severity severity_from(std::string_view word);

/// From `introduced` (empty: always) up to, without, `fixed`, or up to, with, `last_affected`.
struct VersionRange {
  std::string introduced;
  std::string fixed;
  std::string last_affected;
};

struct Advisory {
  std::string id;
  std::vector<std::string> aliases;
  std::string package;  // source package
  Severity severity = Severity::kUnknown;
  std::string summary;
  std::vector<VersionRange> ranges;
  std::vector<std::string> versions;  // affected besides the ranges
};

struct Advisories {
  std::string format;                 // "Debian security tracker" or "OSV"
  std::vector<Advisory> list;         // for packages of the bill
  std::vector<std::string> packages;  // of the bill, that the file speaks of
};

[[nodiscard]] Advisories read_advisories(std::string_view text, const std::string& file,
                                         const Bill& bill);

[[nodiscard]] bool affects(const Advisory& advisory, const std::string& version);

}  // namespace octet::bill
