#include <nlohmann/json.hpp>

#include "base/format.h"
#include "bill/documents.h"

namespace octet::bill {
namespace {

using Json = nlohmann::ordered_json;

Json property(const std::string& name, const std::string& value) {
  return {{"name", "octet:" + name}, {"value", value}};
}

/// A licence outside of SPDX's list is a name here; CycloneDX knows no references to texts.
Json licences(const std::string& expression) {
  if (expression.starts_with("LicenseRef-")) {
    return Json::array({{{"license", {{"name", expression}}}}});
  }
  return Json::array({{{"expression", expression}}});
}

Json component_of(const Bill& bill, const Component& c, const std::string& reference) {
  Json json = {
      {"type", c.kind == "data" ? "data" : "library"}, {"bom-ref", reference}, {"name", c.name}};
  if (!c.version.empty()) json["version"] = c.version;
  json["licenses"] = licences(c.licence);
  if (const std::string url = package_url(bill, c); !url.empty()) json["purl"] = url;
  Json properties = Json::array({property("kind", c.kind)});
  if (!c.package.empty()) properties.push_back(property("package", c.package));
  if (!c.source.empty()) {
    properties.push_back(property("source", c.source + " " + c.source_version));
  }
  for (const ContainedFile& file : c.files) {
    properties.push_back(property("sha256:" + file.name, file.sha256));
  }
  json["properties"] = properties;
  return json;
}

}  // namespace

std::string cyclonedx(const Bill& bill, const Product& product) {
  Json components = Json::array();
  Json references = Json::array();
  for (const Component& c : bill.components) {
    const std::string reference = format("component-%zu", components.size() + 1);
    components.push_back(component_of(bill, c, reference));
    references.push_back(reference);
  }
  Json self = {{"type", "application"},
               {"bom-ref", "octet"},
               {"name", "octet"},
               {"version", product.version},
               {"licenses", licences("Apache-2.0")}};
  if (!product.commit.empty()) {
    self["properties"] = Json::array({property("commit", product.commit)});
  }
  Json dependencies = Json::array({{{"ref", "octet"}, {"dependsOn", references}}});
  for (const Json& reference : references) dependencies.push_back({{"ref", reference}});
  Json document = {{"bomFormat", "CycloneDX"},
                   {"specVersion", "1.5"},
                   {"serialNumber", ""},
                   {"version", 1},
                   {"metadata", {{"timestamp", utc_time(product.created)}, {"component", self}}},
                   {"components", components},
                   {"dependencies", dependencies}};
  document["serialNumber"] = "urn:uuid:" + content_uuid(document.dump());
  return document.dump(2) + "\n";
}

}  // namespace octet::bill
