// libFuzzer target: HTTP framing, through the real server over a socket. The server must answer or
// close, whatever comes, and hand over no body beyond its limit.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>

#include "http/server.h"

namespace {

using octet::http::Exchange;
using octet::http::Request;
using octet::http::Response;

class Small final : public octet::http::Application {
 public:
  octet::http::Admission admit(const Request&) override { return {.body_limit = 100}; }
  void handle(Request request, std::shared_ptr<Exchange> exchange) override {
    if (request.body.size() > 100 || !request.path.starts_with('/')) __builtin_trap();
    if (request.path.find('\0') != std::string::npos) __builtin_trap();
    exchange->respond({.body = request.path});
  }
  Response error(const Request&, int status, const std::string& message) override {
    return {.status = status, .body = message};
  }
};

/// One server for all inputs. Its thread runs until the process ends, so it is never destroyed.
std::uint16_t server_port() {
  using std::chrono::milliseconds;
  static auto* const application = new Small;
  static auto* const server = new octet::http::Server({.port = 0,
                                                       .idle = milliseconds(200),
                                                       .header = milliseconds(200),
                                                       .body = milliseconds(200),
                                                       .write = milliseconds(200)},
                                                      *application);
  static const bool started = [] {
    std::thread([] { server->run(); }).detach();
    return true;
  }();
  static_cast<void>(started);
  return server->port();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(server_port());
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) {
    ::send(socket, data, size, MSG_NOSIGNAL);
    ::shutdown(socket, SHUT_WR);
    const timeval limit{.tv_sec = 5, .tv_usec = 0};
    ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    char answer[4096];
    ssize_t got = 0;
    while ((got = ::recv(socket, answer, sizeof(answer), 0)) > 0) {
    }
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) __builtin_trap();  // neither
  }
  ::close(socket);
  return 0;
}
