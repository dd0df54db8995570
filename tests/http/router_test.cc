#include "http/router.h"

#include <gtest/gtest.h>

namespace octet::http {
namespace {

TEST(Router, FindsRoutesAndPlaceholders) {
  Router router;
  router.add({.method = "GET", .pattern = "/v1/jobs/{id}"});
  router.add({.method = "DELETE", .pattern = "/v1/jobs/{id}"});
  router.add({.method = "GET", .pattern = "/v1/jobs/{id}/events"});
  const Match match = router.find("DELETE", "/v1/jobs/abc");
  ASSERT_NE(match.route, nullptr);
  EXPECT_EQ(match.route->method, "DELETE");
  EXPECT_EQ(match.parameters, std::vector<std::string>{"abc"});
  EXPECT_NE(router.find("HEAD", "/v1/jobs/abc/events").route, nullptr);
  EXPECT_EQ(router.find("PUT", "/v1/jobs/abc").allowed, "GET, DELETE");
  for (const char* path :
       {"/v1/jobs", "/v1/jobs/", "/v1/jobs/a/b", "/v1/jobs/a/events/", "/", ""}) {
    const Match none = router.find("GET", path);
    EXPECT_EQ(none.route, nullptr) << path;
    EXPECT_EQ(none.allowed, "") << path;
  }
}

}  // namespace
}  // namespace octet::http
