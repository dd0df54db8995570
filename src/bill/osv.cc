// {"id": "DEBIAN-CVE-2025-1", "upstream": ["CVE-2025-1"], "affected": [{"package": {"ecosystem":
// "Debian:12", "name": "libpng1.6"}, "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced":
// "0"},
// {"fixed": "1.6.39-2"}]}]}]}

#include <algorithm>
#include <cctype>

#include "bill/advisory_formats.h"
#include "bill/cvss.h"

namespace octet::bill {
namespace {

Severity from_score(double score) {
  if (score >= 9) return Severity::kCritical;
  if (score >= 7) return Severity::kHigh;
  return score >= 4 ? Severity::kMedium : Severity::kLow;
}

Severity from_word(std::string word) {
  for (char& c : word) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (word == "moderate") return Severity::kMedium;
  return word == "unimportant" ? Severity::kLow : severity_from(word);
}

/// The word of a "…_specific" object, or kUnknown.
Severity specific(const json::Value& object, const char* group, const char* key,
                  const std::string& file) {
  const json::Value* found = json::find(object, group, file);
  if (!found || !found->is_object()) return Severity::kUnknown;
  const json::Value* word = json::find(*found, key, file);
  return word && word->is_string() ? from_word(word->get<std::string>()) : Severity::kUnknown;
}

/// The worst of what the record says about itself and about one package.
Severity severity_of(const json::Value& record, const json::Value& affected,
                     const std::string& file) {
  Severity worst = std::max(specific(affected, "ecosystem_specific", "urgency", file),
                            specific(record, "database_specific", "severity", file));
  for (const json::Value* holder : {&record, &affected}) {
    const json::Value* scores = json::find(*holder, "severity", file);
    if (!scores) continue;
    for (const json::Value& entry : json::require_array(*scores, file, "severity")) {
      const auto score = cvss_base_score(json::string_or(entry, "score", "", file));
      if (score) worst = std::max(worst, from_score(*score));
    }
  }
  return worst;
}

/// Events come in order: an introduction opens a range, a fix or a last version closes it.
void add_events(const json::Value& events, const std::string& file, Advisory& advisory) {
  bool open = false;
  for (const json::Value& event : json::require_array(events, file, "events")) {
    const std::string introduced = json::string_or(event, "introduced", "", file);
    const std::string fixed = json::string_or(event, "fixed", "", file);
    const std::string last = json::string_or(event, "last_affected", "", file);
    if (!introduced.empty()) {
      advisory.ranges.push_back({.introduced = introduced, .fixed = "", .last_affected = ""});
      open = true;
    } else if (open && !(fixed.empty() && last.empty())) {
      advisory.ranges.back().fixed = fixed;
      advisory.ranges.back().last_affected = last;
      open = false;
    }
  }
}

void add_versions(const json::Value& affected, const std::string& file, Advisory& advisory) {
  if (const json::Value* ranges = json::find(affected, "ranges", file)) {
    for (const json::Value& range : json::require_array(*ranges, file, "ranges")) {
      if (json::string_or(range, "type", "", file) == "GIT") continue;
      const json::Value* events = json::find(range, "events", file);
      if (!events) json::fail(file, advisory.id + ": events", "an array", nullptr);
      add_events(*events, file, advisory);
    }
  }
  if (const json::Value* versions = json::find(affected, "versions", file)) {
    for (const json::Value& version : json::require_array(*versions, file, "versions")) {
      advisory.versions.push_back(json::require_string(version, file, "versions"));
    }
  }
}

std::vector<std::string> other_names(const json::Value& record, const std::string& file) {
  std::vector<std::string> names;
  for (const char* key : {"aliases", "upstream"}) {
    const json::Value* list = json::find(record, key, file);
    if (!list) continue;
    for (const json::Value& name : json::require_array(*list, file, key)) {
      names.push_back(json::require_string(name, file, key));
    }
  }
  return names;
}

bool is_our_system(const std::string& ecosystem, const Bill& bill) {
  return ecosystem == "Debian" || ecosystem == "Debian:" + bill.distribution_version;
}

void read_record(const AdvisorySource& source, const json::Value& record, Advisories& out) {
  const std::string& file = source.file;
  const std::string id = json::string_or(record, "id", "", file);
  if (id.empty()) json::fail(file, "id", "a record of OSV with an id", nullptr);
  if (json::find(record, "withdrawn", file)) return;
  const json::Value* list = json::find(record, "affected", file);
  if (!list) return;
  for (const json::Value& affected : json::require_array(*list, file, id + ": affected")) {
    const json::Value* package = json::find(affected, "package", file);
    if (!package) continue;  // only ranges of commits
    const std::string name = json::string_or(*package, "name", "", file);
    if (!source.wanted.contains(name) ||
        !is_our_system(json::string_or(*package, "ecosystem", "", file), source.bill)) {
      continue;
    }
    out.packages.push_back(name);
    Advisory advisory{.id = id,
                      .aliases = other_names(record, file),
                      .package = name,
                      .severity = severity_of(record, affected, file),
                      .summary = json::string_or(record, "summary", "", file),
                      .ranges = {},
                      .versions = {}};
    if (advisory.summary.empty()) advisory.summary = json::string_or(record, "details", "", file);
    add_versions(affected, file, advisory);
    out.list.push_back(std::move(advisory));
  }
}

}  // namespace

void read_osv(const AdvisorySource& source, Advisories& out) {
  const json::Value* records = &source.document;
  if (records->is_object() && records->contains("vulns")) records = &(*records)["vulns"];
  if (records->is_object()) return read_record(source, *records, out);
  for (const json::Value& record : json::require_array(*records, source.file, "vulns")) {
    read_record(source, json::require_object(record, source.file, "record"), out);
  }
}

}  // namespace octet::bill
