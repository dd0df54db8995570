// Keys: the file, the command, and who is let in.

#include "api/keys.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "serve/server_process.h"
#include "support/errors.h"

namespace octet::test {
namespace {

class Keys : public testing::Test {
 protected:
  Keys() {
    char name[] = "/tmp/octet-keys-XXXXXX";
    folder_ = ::mkdtemp(name);
    file_ = folder_ + "/keys";
  }
  ~Keys() override { std::filesystem::remove_all(folder_); }

  std::string folder_, file_;
};

TEST_F(Keys, SecretsAreNotInTheFile) {
  const std::string secret = api::add_key(file_, "ann");
  EXPECT_EQ(secret.size(), 6u + 64u);
  std::ifstream stream(file_);
  const std::string text((std::istreambuf_iterator<char>(stream)), {});
  EXPECT_EQ(text.find(secret.substr(6)), std::string::npos);
  struct stat info {};
  ASSERT_EQ(::stat(file_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(Keys, MatchOnlyThemselvesAndOnlyUntilTheyAreRevoked) {
  const std::string ann = api::add_key(file_, "ann"), bob = api::add_key(file_, "bob");
  api::KeyRing ring(file_);
  EXPECT_EQ(ring.match(ann), "ann");
  EXPECT_EQ(ring.match(bob), "bob");
  EXPECT_FALSE(ring.match(ann.substr(0, ann.size() - 1)));
  EXPECT_FALSE(ring.match(""));
  api::revoke_key(file_, "ann");
  EXPECT_FALSE(ring.match(ann));
  EXPECT_EQ(ring.match(bob), "bob");
  expect_error(Code::kInvalidArgument, "bob", [&] { (void)api::add_key(file_, "bob"); });
  expect_error(Code::kInvalidArgument, "ann", [&] { api::revoke_key(file_, "ann"); });
  for (const char* name : {"", "a b", "a\n", "../x", "\xff"}) {
    expect_error(Code::kInvalidArgument, "NAME", [&] { (void)api::add_key(file_, name); });
  }
}

TEST_F(Keys, ADamagedFileOpensNothingHoweverOftenItIsAsked) {
  const std::string ann = api::add_key(file_, "ann");
  api::KeyRing ring(file_);
  EXPECT_EQ(ring.match(ann), "ann");
  std::ofstream(file_) << "ann zz\n";
  EXPECT_FALSE(ring.match(ann));
  EXPECT_FALSE(ring.match(ann));
}

TEST_F(Keys, FilesThatOthersCanReadAreRefused) {
  (void)api::add_key(file_, "ann");
  for (const mode_t mode : {0640u, 0604u, 0620u, 0666u}) {
    ::chmod(file_.c_str(), mode);
    expect_error(Code::kRefused, "chmod 600", [&] { (void)api::read_keys(file_); });
  }
  ::chmod(file_.c_str(), 0600);
  for (const char* line : {"ann", "ann zz", "ann 0 0", "\n"}) {
    std::ofstream(file_) << line << "\n";
    expect_error(Code::kInvalidArgument, "line 1", [&] { (void)api::read_keys(file_); });
  }
  expect_error(Code::kIo, "none", [&] { (void)api::read_keys(folder_ + "/none"); });
}

TEST(Authorization, SecretsOfBothSchemes) {
  EXPECT_EQ(api::secret_of("Bearer abc"), "abc");
  EXPECT_EQ(api::secret_of("bearer  abc"), "abc");
  EXPECT_EQ(api::secret_of("Basic dXNlcjpwYTpzcw=="), "pa:ss");
  for (const char* text : {"", "abc", "Basic", "Basic ###", "Basic dXNlcg==", "Digest abc"}) {
    EXPECT_FALSE(api::secret_of(text)) << text;
  }
}

TEST_F(Keys, ThatOthersMayReadAreAmongTheFailingChecks) {
  (void)api::add_key(file_, "ann");
  const ServerProcess server({"--keys", file_});
  EXPECT_NE(server.get("/readyz").body.find("\"failing\":[]"), std::string::npos);
  ASSERT_EQ(::chmod(file_.c_str(), 0644), 0);
  const HttpAnswer answer = server.get("/readyz");
  EXPECT_EQ(answer.status, 200) << "pictures can be drawn even so";
  EXPECT_NE(answer.body.find("\"failing\":[\"key-file\"]"), std::string::npos) << answer.body;
}

TEST_F(Keys, AreAskedForOnEveryRouteButHealthAndThePage) {
  const std::string key = api::add_key(file_, "ann");
  const ServerProcess server({"--keys", file_});
  const auto status = [&](const std::string& path, const std::string& authorization) {
    return http_request(server.port(), "GET", path, "", authorization).status;
  };
  EXPECT_EQ(status("/healthz", ""), 200);
  EXPECT_EQ(status("/readyz", ""), 200);
  EXPECT_EQ(status("/", ""), 200);
  EXPECT_EQ(status("/page/main.js", ""), 200);
  for (const char* path : {"/v1/models", "/openapi.json", "/nothing", "/v1/jobs/x"}) {
    for (const char* wrong :
         {"", "Authorization: \r\n", "Authorization: Bearer x\r\n", "X-Api-Key: x\r\n"}) {
      EXPECT_EQ(status(path, wrong), 401) << path << wrong;
    }
  }
  const std::string right = "Authorization: Bearer " + key + "\r\n";
  EXPECT_EQ(status("/v1/models", right), 200);
  EXPECT_EQ(status("/nothing", right), 404);
  const HttpAnswer refused = server.draw(R"({"prompt":"a"})");
  EXPECT_EQ(refused.body,
            R"({"error":{"message":"no API key was given: Authorization: Bearer KEY",)"
            R"("type":"invalid_request_error","param":null,)"
            R"("code":"invalid_api_key"}})");
  EXPECT_EQ(refused.header("WWW-Authenticate"), "Bearer");
  EXPECT_EQ(server.post("/v1/images/generations", R"({"prompt":"a"})", right).status, 200);
  api::revoke_key(file_, "ann");
  EXPECT_EQ(status("/v1/models", right), 401);
}

TEST_F(Keys, OffLoopbackThereIsNoServerWithoutThem) {
  for (const char* address : {"0.0.0.0:0", "[::]:0", "192.0.2.1:0"}) {
    ServerProcess server({"--listen", address}, false, false);
    EXPECT_EQ(server.wait(), 7) << address;
    EXPECT_NE(server.said().find("--keys"), std::string::npos);
  }
}

}  // namespace
}  // namespace octet::test
