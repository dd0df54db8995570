#include "bill/advisories.h"

#include <algorithm>

#include "base/format.h"
#include "bill/advisory_formats.h"
#include "bill/debian_version.h"
#include "octet/error.h"

namespace octet::bill {
namespace {

constexpr const char* kNames[] = {"unknown", "low", "medium", "high", "critical"};

bool is_osv(const json::Value& document) {
  if (document.is_array()) return true;
  return document.is_object() && (document.contains("vulns") || document.contains("affected"));
}

Advisories read(const AdvisorySource& source) {
  Advisories out;
  if (is_osv(source.document)) {
    out.format = "OSV";
    read_osv(source, out);
  } else {
    out.format = "Debian security tracker";
    read_debian_tracker(source, out);
  }
  std::sort(out.packages.begin(), out.packages.end());
  out.packages.erase(std::unique(out.packages.begin(), out.packages.end()), out.packages.end());
  std::sort(out.list.begin(), out.list.end(), [](const Advisory& a, const Advisory& b) {
    return a.package != b.package ? a.package < b.package : a.id < b.id;
  });
  return out;
}

bool in_range(const VersionRange& range, const std::string& version) {
  const bool begun = range.introduced.empty() || range.introduced == "0" ||
                     compare_debian_versions(version, range.introduced) >= 0;
  if (!begun) return false;
  if (!range.fixed.empty()) return compare_debian_versions(version, range.fixed) < 0;
  if (!range.last_affected.empty()) {
    return compare_debian_versions(version, range.last_affected) <= 0;
  }
  return true;
}

}  // namespace

const char* severity_name(Severity severity) { return kNames[static_cast<int>(severity)]; }

Severity severity_from(std::string_view word) {
  for (int i = 0; i < 5; ++i) {
    if (word == kNames[i]) return static_cast<Severity>(i);
  }
  return Severity::kUnknown;
}

Advisories read_advisories(std::string_view text, const std::string& file, const Bill& bill) {
  std::set<std::string> wanted;
  for (const Component& c : bill.components) {
    if (!c.source.empty()) wanted.insert(c.source);
  }
  if (wanted.empty() || bill.distribution != "debian") {
    throw Error(Code::kRefused,
                "audit: expected a program built from packages of Debian, found one whose "
                "components have no source packages; build it on Debian");
  }
  try {
    const json::Value document = json::parse(text, file);
    Advisories found = read({document, file, bill, wanted});
    if (!found.packages.empty()) return found;
  } catch (const Error& error) {
    throw Error(Code::kRefused, error.what());
  }
  throw Error(
      Code::kRefused,
      format("%s: expected advisories for the source packages of this program (as %s), "
             "found none; give the whole export of Debian's tracker or OSV's for Debian:%s",
             excerpt(file).c_str(), wanted.begin()->c_str(), bill.distribution_version.c_str()));
}

bool affects(const Advisory& advisory, const std::string& version) {
  const auto& exact = advisory.versions;
  if (std::find(exact.begin(), exact.end(), version) != exact.end()) return true;
  return std::any_of(advisory.ranges.begin(), advisory.ranges.end(),
                     [&](const VersionRange& range) { return in_range(range, version); });
}

}  // namespace octet::bill
