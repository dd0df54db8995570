// Who may ask: Host, Origin, methods and types of bodies.

#include <gtest/gtest.h>

#include "api/front.h"
#include "serve/server_process.h"

namespace octet::test {
namespace {

TEST(Guard, HostsThatAreAllowed) {
  const std::vector<std::string> names = {"box.example"};
  for (const char* host : {"localhost", "LOCALHOST:80", "127.0.0.1", "10.0.0.7:8080", "[::1]",
                           "[::1]:8080", "box.example", "Box.Example:443"}) {
    EXPECT_TRUE(api::is_allowed_host(host, names)) << host;
  }
  for (const char* host :
       {"", ":80", "evil.example", "box.example.evil", "localhost.evil", "127.0.0.1.evil",
        "localhost:80:80", "localhost:", "[::1", "::1", "localhost:8o", "user@localhost"}) {
    const bool empty_port = std::string(host) == "localhost:";  // RFC 3986 allows it
    EXPECT_EQ(api::is_allowed_host(host, names), empty_port) << host;
  }
}

class Guarded : public testing::Test {
 protected:
  static int status(const std::string& head) {
    static const ServerProcess server({"--allowed-origin", "https://page.example"});
    HttpConnection connection(server.port());
    connection.send(head + "\r\n");
    const HttpAnswer answer = connection.receive();
    EXPECT_EQ(answer.header("Access-Control-Allow-Origin"), "");
    return answer.status;
  }
};

TEST_F(Guarded, ForeignNamesAndPages) {
  const std::string get = "GET /healthz HTTP/1.1\r\nHost: ";
  EXPECT_EQ(status(get + "localhost:1\r\n"), 200);
  EXPECT_EQ(status(get + "rebound.example\r\n"), 403);
  EXPECT_EQ(status(get + "localhost:1\r\nOrigin: http://localhost:1\r\n"), 200);
  EXPECT_EQ(status(get + "localhost:1\r\nOrigin: https://page.example\r\n"), 200);
  for (const char* origin : {"http://evil.example", "http://localhost:2", "null", "localhost:1",
                             "https://page.example.evil", "http://localhost:1.evil"}) {
    EXPECT_EQ(status(get + "localhost:1\r\nOrigin: " + origin + "\r\n"), 403) << origin;
  }
}

TEST_F(Guarded, MethodsAndTypes) {
  const std::string host = " HTTP/1.1\r\nHost: localhost\r\n";
  EXPECT_EQ(status("GET /nothing" + host), 404);
  EXPECT_EQ(status("DELETE /healthz" + host), 405);
  EXPECT_EQ(status("OPTIONS /v1/images/generations" + host), 405) << "no CORS preflight";
  const std::string post = "POST /v1/images/generations" + host + "Content-Length: 0\r\n";
  EXPECT_EQ(status(post), 415);
  for (const char* type : {"text/plain", "multipart/form-data", "application/jsonx",
                           "application/x-www-form-urlencoded"}) {
    EXPECT_EQ(status(post + "Content-Type: " + type + "\r\n"), 415) << type;
  }
  EXPECT_EQ(status(post + "Content-Type: application/json; charset=utf-8\r\n"), 400);
}

}  // namespace
}  // namespace octet::test
