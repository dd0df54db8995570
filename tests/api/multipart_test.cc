#include "api/multipart.h"

#include <gtest/gtest.h>

namespace octet::api {
namespace {

const std::string kType = "multipart/form-data; boundary=\"b-1\"";

std::string part(const std::string& name, const std::string& data) {
  return "--b-1\r\nContent-Disposition: form-data; name=\"" + name + "\"; filename=\"f\"\r\n\r\n" +
         data + "\r\n";
}

bool refused(const std::string& body, const std::string& type = kType) {
  try {
    (void)split_multipart(body, type);
  } catch (const RequestError& error) {
    return error.status() == 400;
  }
  return false;
}

TEST(Multipart, PartsKeepTheirBytes) {
  const std::string binary("a\0\r\n--b-\r\n\r\n\xff", 13);
  const std::string body = part("image[]", binary) + part("prompt", "") + "--b-1--\r\n";
  const auto parts = split_multipart(body, kType);
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_EQ(parts[0].name, "image[]");
  EXPECT_EQ(parts[0].data, binary);
  EXPECT_EQ(parts[1].data, "");
  EXPECT_EQ(split_multipart(body, "multipart/form-data;charset=x; boundary=b-1").size(), 2u);
}

TEST(Multipart, WhatIsNoneIsRefused) {
  const std::string whole = part("a", "1") + "--b-1--";
  EXPECT_FALSE(refused(whole));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_TRUE(refused(whole.substr(0, size))) << size;
  }
  EXPECT_TRUE(refused(whole, "multipart/form-data"));
  EXPECT_TRUE(refused(whole, "multipart/form-data; boundary="));
  EXPECT_TRUE(refused(whole, "multipart/form-data; boundary=\"b-1"));
  EXPECT_TRUE(refused(whole, "multipart/form-data; boundary=" + std::string(71, 'b')));
  EXPECT_TRUE(refused("--b-1\r\nX: y\r\n\r\n1\r\n--b-1--")) << "no name";
  EXPECT_TRUE(refused("--b-1\r\nX: " + std::string(5000, 'y') + "\r\n\r\n1\r\n--b-1--"));
  std::string many;
  for (int i = 0; i < 65; ++i) many += part("a", "1");
  EXPECT_TRUE(refused(many + "--b-1--"));
}

}  // namespace
}  // namespace octet::api
