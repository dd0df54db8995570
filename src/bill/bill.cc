#include "bill/bill.h"

#include "base/format.h"
#include "base/json_document.h"
#include "octet/error.h"

namespace octet::bill {
namespace {

const std::string kName = "built-in list of components";

std::string text(const json::Value& object, const char* key) {
  return json::string_or(object, key, "", kName);
}

const json::Value& member(const json::Value& object, const char* key) {
  const json::Value* found = json::find(object, key, kName);
  if (!found) json::fail(kName, key, "to be there", nullptr);
  return *found;
}

Component read_component(const json::Value& value) {
  Component c{.name = text(value, "name"),
              .kind = text(value, "kind"),
              .licence = text(value, "licence"),
              .package = text(value, "package"),
              .version = text(value, "version"),
              .source = text(value, "source"),
              .source_version = text(value, "source_version"),
              .architecture = text(value, "architecture"),
              .files = {}};
  for (const json::Value& file : json::require_array(member(value, "files"), kName, "files")) {
    c.files.push_back({text(file, "name"), text(file, "sha256")});
  }
  return c;
}

/// As package URLs want it: everything but letters, digits and ".-_~" as %XX.
std::string percent_encoded(const std::string& plain) {
  std::string out;
  for (const char c : plain) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    const bool safe = letter || c == '.' || c == '-' || c == '_' || c == '~';
    out += safe ? std::string(1, c) : format("%%%02X", static_cast<unsigned char>(c));
  }
  return out;
}

}  // namespace

Bill read_bill(std::string_view json) {
  if (json.empty()) {
    throw Error(Code::kInternal, "built-in list of components: expected one, found none");
  }
  try {
    const json::Value document = json::parse(json, kName);
    const json::Value& distribution = member(document, "distribution");
    const json::Value& build = member(document, "build");
    Bill bill{.distribution = text(distribution, "id"),
              .distribution_version = text(distribution, "version"),
              .codename = text(distribution, "codename"),
              .build_type = text(build, "type"),
              .flags = text(build, "flags"),
              .cuda = text(build, "cuda"),
              .architectures = text(build, "architectures"),
              .components = {}};
    for (const json::Value& c : json::require_array(member(document, "components"), kName, "")) {
      bill.components.push_back(read_component(c));
    }
    return bill;
  } catch (const Error& error) {
    throw Error(Code::kInternal, error.what());
  }
}

std::string package_url(const Bill& bill, const Component& c) {
  if (c.package.empty() || bill.distribution.empty()) return {};
  std::string url = format("pkg:deb/%s/%s@%s?arch=%s", bill.distribution.c_str(),
                           percent_encoded(c.package).c_str(), percent_encoded(c.version).c_str(),
                           c.architecture.c_str());
  if (!bill.distribution_version.empty()) {
    url += "&distro=" + bill.distribution + "-" + bill.distribution_version;
  }
  return url;
}

}  // namespace octet::bill
