// The server's address and its file of keys.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "doctor/findings.h"
#include "support/temp_folder.h"

namespace octet::doctor {
namespace {

using test::expect_result;

/// A socket that listens on a free port of loopback.
class Listener {
 public:
  Listener() : descriptor_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address_;
    auto* where = reinterpret_cast<sockaddr*>(&address_);
    EXPECT_EQ(::bind(descriptor_, where, size), 0);
    EXPECT_EQ(::listen(descriptor_, 1), 0);
    EXPECT_EQ(::getsockname(descriptor_, where, &size), 0);
  }
  ~Listener() { ::close(descriptor_); }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  [[nodiscard]] std::uint16_t port() const { return ntohs(address_.sin_port); }

 private:
  int descriptor_;
  sockaddr_in address_{};
};

Results port_of(const std::string& address, std::uint16_t port) {
  return check_port({.address = address, .port = port}, Depth::kFull);
}

TEST(Port, FreeOnes) {
  expect_result(port_of("", 0), Level::kOk, {"no address"});
  expect_result(port_of("127.0.0.1", 0), Level::kOk, {"127.0.0.1:0 can be listened on"});
}

TEST(Port, Occupied) {
  const Listener other;
  expect_result(
      port_of("127.0.0.1", other.port()), Level::kFailure,
      {"cannot listen on 127.0.0.1:" + std::to_string(other.port()), "Address already in use"},
      "ss -ltnp 'sport = :" + std::to_string(other.port()));
}

TEST(Port, IsLeftAsItWas) {
  std::uint16_t port = 0;
  { port = Listener().port(); }
  for (int i = 0; i < 3; ++i) expect_result(port_of("127.0.0.1", port), Level::kOk, {"can be"});
}

TEST(Port, AddressesThatAreNotHere) {
  expect_result(port_of("192.0.2.1", 8080), Level::kFailure,
                {"192.0.2.1:8080", "Cannot assign requested address"}, "address of this machine");
  expect_result(port_of("localhost", 8080), Level::kFailure, {"Invalid argument"}, "--listen");
}

class KeyFile : public testing::Test {
 protected:
  Results check() { return check_key_file({.keys = file_}, Depth::kFast); }
  test::TempFolder folder_;
  std::string file_ = folder_.write("keys", {});
};

TEST_F(KeyFile, OfItsUserAlone) {
  ASSERT_EQ(::chmod(file_.c_str(), 0600), 0);
  expect_result(check(), Level::kOk, {"has mode 0600"});
  ASSERT_EQ(::chmod(file_.c_str(), 0400), 0);
  expect_result(check(), Level::kOk, {"has mode 0400"});
  expect_result(check_key_file({}, Depth::kFast), Level::kOk, {"no file of keys"});
}

TEST_F(KeyFile, ThatOthersCanReadOrWrite) {
  for (const mode_t mode : {0644U, 0640U, 0602U, 0601U, 0777U}) {
    ASSERT_EQ(::chmod(file_.c_str(), mode), 0);
    expect_result(check(), Level::kFailure, {"expected 0600"}, "chmod 600 '" + file_ + "'");
  }
}

TEST_F(KeyFile, OfAnother) {
  ASSERT_EQ(::chmod(file_.c_str(), 0600), 0);
  if (::geteuid() != 0) GTEST_SKIP() << "giving a file away needs root";
  ASSERT_EQ(::chown(file_.c_str(), 12345, 12345), 0);
  expect_result(check(), Level::kFailure, {"belongs to user 12345, expected user 0"}, "chown 0 '");
}

TEST_F(KeyFile, ThatIsNone) {
  ASSERT_EQ(::unlink(file_.c_str()), 0);
  const Results absent = check();
  expect_result(absent, Level::kFailure, {"No such file"}, "octet key add");
  EXPECT_EQ(absent.front().code, Code::kIo);
  ASSERT_EQ(::mkdir(file_.c_str(), 0700), 0);
  expect_result(check(), Level::kFailure, {"not a regular file"}, "octet key add");
}

}  // namespace
}  // namespace octet::doctor
