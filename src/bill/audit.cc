#include "bill/audit.h"

#include <algorithm>
#include <map>
#include <tuple>

namespace octet::bill {
namespace {

bool matches(const Acceptance& accepted, const Advisory& advisory) {
  if (!accepted.package.empty() && accepted.package != advisory.package) return false;
  const auto& names = advisory.aliases;
  return accepted.id == advisory.id ||
         std::find(names.begin(), names.end(), accepted.id) != names.end();
}

/// The first fix above the version; ranges of one advisory may cover several branches.
std::string fix_of(const Advisory& advisory, const std::string& version) {
  for (const VersionRange& range : advisory.ranges) {
    Advisory alone;
    alone.ranges = {range};
    if (!range.fixed.empty() && affects(alone, version)) return range.fixed;
  }
  return {};
}

/// Source packages with the components that come from them; several may share one.
std::map<std::string, std::vector<const Component*>> by_source(const Bill& bill,
                                                               AuditReport& report) {
  std::map<std::string, std::vector<const Component*>> sources;
  for (const Component& c : bill.components) {
    if (!c.source.empty()) {
      sources[c.source].push_back(&c);
    } else if (c.kind != "data") {
      report.not_covered.push_back(c.name);
    }
  }
  return sources;
}

std::string joined_names(const std::vector<const Component*>& components) {
  std::string names;
  for (const Component* c : components) names += (names.empty() ? "" : ", ") + c->name;
  return names;
}

void judge(const Policy& policy, const Advisory& advisory, const std::string& today,
           std::vector<bool>& used, Finding& finding) {
  for (std::size_t i = 0; i < policy.accepted.size(); ++i) {
    const Acceptance& accepted = policy.accepted[i];
    if (!matches(accepted, advisory)) continue;
    used[i] = true;
    if (accepted.expires >= today) {
      finding.accepted = accepted.reason;
    } else {
      finding.expired = accepted.expires;
    }
  }
  const bool known = advisory.severity != Severity::kUnknown;
  finding.weight = known ? advisory.severity : policy.unknown_as;
  finding.counts = finding.accepted.empty() && finding.weight >= policy.fail_on;
}

}  // namespace

AuditReport audit(const Bill& bill, const Advisories& advisories, const Policy& policy,
                  const std::string& today) {
  AuditReport report;
  const auto sources = by_source(bill, report);
  std::vector<bool> used(policy.accepted.size(), false);
  for (const Advisory& advisory : advisories.list) {
    const auto source = sources.find(advisory.package);
    if (source == sources.end()) continue;
    const std::string& version = source->second.front()->source_version;
    if (!affects(advisory, version)) continue;
    Finding finding{.id = advisory.id,
                    .package = advisory.package,
                    .version = version,
                    .fixed = fix_of(advisory, version),
                    .component = joined_names(source->second),
                    .severity = advisory.severity,
                    .summary = advisory.summary,
                    .accepted = {},
                    .expired = {}};
    judge(policy, advisory, today, used, finding);
    report.counting += finding.counts ? 1 : 0;
    report.findings.push_back(std::move(finding));
  }
  for (std::size_t i = 0; i < used.size(); ++i) {
    if (!used[i]) report.unused.push_back(policy.accepted[i].id);
  }
  std::stable_sort(report.findings.begin(), report.findings.end(),
                   [](const Finding& a, const Finding& b) {
                     return std::tuple(b.counts, b.weight) < std::tuple(a.counts, a.weight);
                   });
  return report;
}

}  // namespace octet::bill
