// {"libpng1.6": {"CVE-2025-1": {"description": ..., "releases": {"bookworm": {"status": "resolved",
// "fixed_version": "1.6.39-2", "urgency": "low"}}}}}

#include "bill/advisory_formats.h"

namespace octet::bill {
namespace {

/// "low**" of older exports is "low"; "unimportant" means that hardly anybody is concerned.
Severity from_urgency(std::string urgency) {
  while (urgency.ends_with('*')) urgency.pop_back();
  return urgency == "unimportant" ? Severity::kLow : severity_from(urgency);
}

/// Adds the versions that are affected; none when there are none in this release.
void add_range(const json::Value& release, const std::string& file, Advisory& advisory) {
  const std::string status = json::string_or(release, "status", "", file);
  if (status == "open" || status == "undetermined") {
    advisory.ranges.push_back({});
  } else if (status == "resolved") {
    const std::string fixed = json::string_or(release, "fixed_version", "", file);
    if (fixed.empty()) json::fail(file, "fixed_version", "a version", nullptr);
    if (fixed != "0")
      advisory.ranges.push_back({.introduced = "", .fixed = fixed, .last_affected = ""});
  } else {
    json::fail(file, advisory.id + ": status", "open, undetermined or resolved",
               json::find(release, "status", file));
  }
}

void read_entry(const AdvisorySource& source, const std::string& package, const std::string& id,
                const json::Value& entry, Advisories& out) {
  const json::Value* releases = json::find(entry, "releases", source.file);
  if (!releases) json::fail(source.file, id + ": releases", "an object", nullptr);
  const json::Value* release = json::find(*releases, source.bill.codename, source.file);
  if (!release) return;  // this distribution never had the flawed code
  Advisory advisory{.id = id,
                    .aliases = {},
                    .package = package,
                    .summary = json::string_or(entry, "description", "", source.file),
                    .ranges = {},
                    .versions = {}};
  advisory.severity = from_urgency(json::string_or(*release, "urgency", "", source.file));
  add_range(*release, source.file, advisory);
  if (!advisory.ranges.empty()) out.list.push_back(std::move(advisory));
}

}  // namespace

void read_debian_tracker(const AdvisorySource& source, Advisories& out) {
  json::require_object(source.document, source.file, "the whole file");
  for (const std::string& package : source.wanted) {
    const json::Value* entries = json::find(source.document, package, source.file);
    if (!entries) continue;
    out.packages.push_back(package);
    json::require_object(*entries, source.file, package);
    for (const auto& [id, entry] : entries->items()) read_entry(source, package, id, entry, out);
  }
}

}  // namespace octet::bill
