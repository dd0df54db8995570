#include "bill/documents.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "sample_bill.h"
#include "support/errors.h"

namespace octet::bill {
namespace {

using Json = nlohmann::json;

const Product kProduct{.version = "1.2.3", .commit = "abc", .created = 1764077400};

TEST(Documents, Times) {
  EXPECT_EQ(utc_time(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(utc_time(1764077400), "2025-11-25T13:30:00Z");
}

TEST(Documents, UuidsHaveTheirForm) {
  const std::string uuid = content_uuid("a");
  ASSERT_EQ(uuid.size(), 36U);
  EXPECT_EQ(uuid[14], '8');
  EXPECT_NE(std::string("89ab").find(uuid[19]), std::string::npos);
  EXPECT_NE(uuid, content_uuid("b"));
}

TEST(CycloneDx, NamesEveryComponent) {
  const Json json = Json::parse(cyclonedx(sample_bill(), kProduct));
  EXPECT_EQ(json["specVersion"], "1.5");
  EXPECT_EQ(json["metadata"]["timestamp"], "2025-11-25T13:30:00Z");
  EXPECT_EQ(json["metadata"]["component"]["version"], "1.2.3");
  ASSERT_EQ(json["components"].size(), 4U);
  EXPECT_EQ(json["components"][0]["purl"],
            "pkg:deb/debian/libpng-dev@1.6.39-2%2Bdeb12u1?arch=amd64&distro=debian-12");
  EXPECT_FALSE(json["components"][2].contains("purl"));
  EXPECT_FALSE(json["components"][2].contains("version"));
  EXPECT_EQ(json["components"][3]["type"], "data");
  EXPECT_EQ(json["dependencies"][0]["dependsOn"].size(), 4U);
  EXPECT_EQ(cyclonedx(sample_bill(), kProduct), cyclonedx(sample_bill(), kProduct));
}

TEST(Spdx, NamesEveryComponent) {
  const Json json = Json::parse(spdx(sample_bill(), kProduct));
  EXPECT_EQ(json["spdxVersion"], "SPDX-2.3");
  ASSERT_EQ(json["packages"].size(), 5U);
  EXPECT_EQ(json["packages"][1]["licenseDeclared"], "libpng-2.0");
  EXPECT_EQ(json["relationships"][1]["relationshipType"], "STATIC_LINK");
  EXPECT_EQ(json["relationships"][4]["relationshipType"], "CONTAINS");
  EXPECT_EQ(json["hasExtractedLicensingInfos"][0]["licenseId"], "LicenseRef-NVIDIA-CUDA-EULA");
  Bill without = sample_bill();
  without.components.resize(2);
  EXPECT_FALSE(Json::parse(spdx(without, kProduct)).contains("hasExtractedLicensingInfos"));
}

TEST(BuiltInBill, AProgramWithoutOneSaysSo) {
  test::expect_error(Code::kInternal, "found none", [] { (void)read_bill(""); });
  test::expect_error(Code::kInternal, "components", [] { (void)read_bill("{}"); });
}

}  // namespace
}  // namespace octet::bill
