#include <nlohmann/json.hpp>

#include "base/format.h"
#include "bill/documents.h"

namespace octet::bill {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kUnknown = "NOASSERTION";
constexpr const char* kCudaLicence = "LicenseRef-NVIDIA-CUDA-EULA";

Json package_of(const Bill& bill, const Component& c, const std::string& id) {
  Json json = {{"SPDXID", id}, {"name", c.name}};
  if (!c.version.empty()) json["versionInfo"] = c.version;
  json["downloadLocation"] = kUnknown;
  json["filesAnalyzed"] = false;
  json["licenseConcluded"] = kUnknown;
  json["licenseDeclared"] = c.licence;
  json["copyrightText"] = kUnknown;
  std::string comment = "kind: " + c.kind;
  if (!c.source.empty()) comment += "; source: " + c.source + " " + c.source_version;
  for (const ContainedFile& file : c.files) comment += "; sha256 " + file.name + " " + file.sha256;
  json["comment"] = comment;
  if (const std::string url = package_url(bill, c); !url.empty()) {
    json["externalRefs"] = Json::array({{{"referenceCategory", "PACKAGE-MANAGER"},
                                         {"referenceType", "purl"},
                                         {"referenceLocator", url}}});
  }
  return json;
}

Json relation(const std::string& from, const char* type, const std::string& to) {
  return {{"spdxElementId", from}, {"relationshipType", type}, {"relatedSpdxElement", to}};
}

const char* relation_type(const Component& c) {
  return c.kind == "library" ? "STATIC_LINK" : "CONTAINS";
}

}  // namespace

std::string spdx(const Bill& bill, const Product& product) {
  const std::string self = "SPDXRef-octet";
  Json packages = Json::array({{{"SPDXID", self},
                                {"name", "octet"},
                                {"versionInfo", product.version},
                                {"downloadLocation", kUnknown},
                                {"filesAnalyzed", false},
                                {"licenseConcluded", "Apache-2.0"},
                                {"licenseDeclared", "Apache-2.0"},
                                {"copyrightText", kUnknown},
                                {"sourceInfo", "commit " + product.commit}}});
  Json relations = Json::array({relation("SPDXRef-DOCUMENT", "DESCRIBES", self)});
  Json extracted = Json::array();
  for (const Component& c : bill.components) {
    const std::string id = format("SPDXRef-component-%zu", packages.size());
    packages.push_back(package_of(bill, c, id));
    relations.push_back(relation(self, relation_type(c), id));
    if (c.licence != kCudaLicence) continue;
    extracted.push_back({{"licenseId", kCudaLicence},
                         {"name", "NVIDIA CUDA Toolkit End User License Agreement"},
                         {"extractedText", "See the licence file in the release archive."}});
  }
  Json document = {{"spdxVersion", "SPDX-2.3"},
                   {"dataLicense", "CC0-1.0"},
                   {"SPDXID", "SPDXRef-DOCUMENT"},
                   {"name", "octet-" + product.version},
                   {"documentNamespace", ""},
                   {"creationInfo",
                    {{"created", utc_time(product.created)},
                     {"creators", Json::array({"Tool: octet-" + product.version})}}},
                   {"packages", packages},
                   {"relationships", relations}};
  if (!extracted.empty()) document["hasExtractedLicensingInfos"] = extracted;
  document["documentNamespace"] = "urn:uuid:" + content_uuid(document.dump());
  return document.dump(2) + "\n";
}

}  // namespace octet::bill
