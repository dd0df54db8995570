// `octet serve` with --tls-cert and --tls-key: what it serves, and what it does not start with.

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "serve/server_process.h"
#include "support/certificates.h"
#include "support/temp_folder.h"

namespace octet::test {
namespace {

class ServerTls : public testing::Test {
 protected:
  ServerTls() { write_certificate(path_); }
  [[nodiscard]] std::vector<std::string> flags() const {
    return {"--tls-cert", path_ + ".crt", "--tls-key", path_ + ".key"};
  }
  /// It does not start, and says why in one line.
  static void refused(int code, const std::string& why, const std::vector<std::string>& flags) {
    ServerProcess server(flags, false);
    EXPECT_EQ(server.wait(), code);
    const std::string said = server.said();
    EXPECT_NE(said.find(why), std::string::npos) << said;
    EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << said;
  }

  TempFolder folder_;
  const std::string path_ = folder_.path() + "/tls";
};

TEST_F(ServerTls, PicturesPagesAndHealth) {
  const ServerProcess server(flags());
  EXPECT_EQ(server.draw(R"({"prompt":"a"})").status, 200);
  EXPECT_EQ(server.get("/").status, 200);
  const std::string url = nlohmann::json::parse(
      server.draw(R"({"prompt":"a","response_format":"url"})").body)["data"][0]["url"];
  EXPECT_TRUE(url.starts_with("https://localhost/")) << url;
  const std::string health = std::string(OCTET_WITH_STUB) +
                             " health --quiet --address 127.0.0.1:" + std::to_string(server.port());
  EXPECT_EQ(WEXITSTATUS(std::system((health + " --tls").c_str())), 0);
  EXPECT_EQ(WEXITSTATUS(std::system((health + " --timeout 2 2>&1").c_str())), 6);
}

TEST_F(ServerTls, ThePageMustHaveComeByTlsToo) {
  const ServerProcess server(flags());
  const auto status = [&](const std::string& origin) {
    return http_request(server.port(), "GET", "/healthz", "", "Origin: " + origin + "\r\n", true)
        .status;
  };
  EXPECT_EQ(status("https://localhost"), 200);
  EXPECT_EQ(status("http://localhost"), 403);
}

TEST_F(ServerTls, DoesNotStartWithWhatIsNoPair) {
  write_certificate(folder_.path() + "/other");
  const std::string other = folder_.path() + "/other.key";
  refused(2, "another one's", {"--tls-cert", path_ + ".crt", "--tls-key", other});
  refused(2, "--tls-cert: expected --tls-key as well", {"--tls-cert", path_ + ".crt"});
  refused(2, "--tls-key: expected --tls-cert as well", {"--tls-key", other});
  refused(5, "No such file", {"--tls-cert", path_ + ".crt", "--tls-key", path_});
  ::chmod((path_ + ".key").c_str(), 0644);
  refused(7, "mode 0644", flags());
}

}  // namespace
}  // namespace octet::test
