// The two formats behind advisories.h. Included by .cc files only, because it brings the JSON
// library along. Errors: Error(kCorruptFile), which read_advisories turns into a refusal.
#pragma once

#include <set>
#include <string>

#include "base/json_document.h"
#include "bill/advisories.h"

namespace octet::bill {

struct AdvisorySource {
  const json::Value& document;
  const std::string& file;
  const Bill& bill;
  std::set<std::string> wanted;  // source packages
};

void read_debian_tracker(const AdvisorySource& source, Advisories& out);
void read_osv(const AdvisorySource& source, Advisories& out);

}  // namespace octet::bill
