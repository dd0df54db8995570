#include "http/message.h"

#include <gtest/gtest.h>

namespace octet::http {
namespace {

TEST(Message, HeaderNamesCompareWithoutCase) {
  const Headers headers = {{"Content-TYPE", "a"}, {"content-type", "b"}};
  EXPECT_EQ(find_header(headers, "content-type"), "a");
  EXPECT_FALSE(find_header(headers, "content"));
}

TEST(Message, ValuesWithLineBreaksAreLeftOut) {
  const Response response{.headers = {{"X-A", "b\r\nX-Evil: 1"}, {"X-C", "d"}}};
  const std::string head = serialize_head(response, Framing::kLength, true);
  EXPECT_EQ(head.find("Evil"), std::string::npos);
  EXPECT_NE(head.find("\r\nX-C: d\r\n"), std::string::npos);
  EXPECT_TRUE(head.ends_with("\r\n\r\n"));
}

TEST(Message, FramingIsSaidOnce) {
  const Response response{.body = "12345"};
  const std::string length = serialize_head(response, Framing::kLength, true);
  EXPECT_NE(length.find("Content-Length: 5\r\n"), std::string::npos);
  EXPECT_EQ(length.find("Transfer-Encoding"), std::string::npos);
  const std::string chunked = serialize_head(response, Framing::kChunked, false);
  EXPECT_EQ(chunked.find("Content-Length"), std::string::npos);
  EXPECT_NE(chunked.find("Connection: close\r\n"), std::string::npos);
}

TEST(Message, Paths) {
  EXPECT_EQ(decode_path("/a%20b+c"), "/a b+c");
  for (const char* bad : {"/%", "/%4", "/%zz", "/%00", "/%0a", "/\n"}) {
    EXPECT_FALSE(decode_path(bad)) << bad;
  }
}

TEST(Message, Queries) {
  EXPECT_EQ(query_value("a=1&b=x+y%26z&c", "b"), "x y&z");
  EXPECT_EQ(query_value("a=1&b=2&c", "c"), "");
  EXPECT_FALSE(query_value("ab=1", "a"));
  EXPECT_FALSE(query_value("", "a"));
}

}  // namespace
}  // namespace octet::http
