// octet health: asks a running server whether it is ready; for container health checks, where no
// other HTTP client may be installed.

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <span>

#include "base/atomic_file.h"
#include "base/format.h"
#include "commands.h"
#include "flag_parser.h"
#include "flags.h"
#include "http/tls.h"
#include "octet/error.h"
#include "standard_streams.h"

namespace octet::cli {
namespace {

constexpr const char* kHelp = R"(octet health: ask a running server whether it is ready

Usage: octet health [flags]

Asks GET /readyz, or /healthz with --alive. Exit code 0: yes; 6: no, or nobody
answers.

)";

struct Options {
  std::string address = "127.0.0.1:8080";
  int timeout = 5;
  bool alive = false;
  bool tls = false;
  bool quiet = false;
};

std::vector<Flag> flags_of(Options& o) {
  const char* group = "Flags";
  return {{.name = "--address",
           .value = "ADDRESS:PORT",
           .group = group,
           .help = "IPv4 address and port of the server",
           .normal = o.address,
           .target = &o.address,
           .accepts = is_not_empty,
           .expected = "ADDRESS:PORT"},
          {.name = "--timeout",
           .value = "SECONDS",
           .group = group,
           .help = "how long an answer may take",
           .normal = "5",
           .target = &o.timeout,
           .range = {.low = 1, .high = 600}},
          {.name = "--alive",
           .group = group,
           .help = "ask whether the process lives, not whether it is ready",
           .target = &o.alive},
          {.name = "--tls",
           .group = group,
           .help = "the server speaks TLS; its certificate is not checked, nothing secret is said",
           .target = &o.tls},
          {.name = "--quiet", .group = group, .help = "print nothing", .target = &o.quiet}};
}

sockaddr_in address_of(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  sockaddr_in address{};
  address.sin_family = AF_INET;
  std::uint16_t port = 0;
  const char* end = text.data() + text.size();
  const bool numeric = colon != std::string::npos &&
                       inet_pton(AF_INET, text.substr(0, colon).c_str(), &address.sin_addr) == 1 &&
                       std::from_chars(text.data() + colon + 1, end, port).ptr == end && port != 0;
  if (!numeric) {
    throw Error(Code::kInvalidArgument,
                format("--address: expected an IPv4 address and a port, as in 127.0.0.1:8080, "
                       "found '%s'",
                       excerpt(text).c_str()));
  }
  address.sin_port = htons(port);
  return address;
}

[[noreturn]] void nobody(const Options& o, const char* what) {
  throw Error(Code::kDevice, format("health: expected an answer of %s, found: %s: %s",
                                    excerpt(o.address).c_str(), what, std::strerror(errno)));
}

class Socket {
 public:
  Socket() : descriptor_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {}
  ~Socket() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  [[nodiscard]] int get() const { return descriptor_; }

 private:
  int descriptor_;
};

/// One connection, with TLS or without.
class Line {
 public:
  Line(const Options& o, int socket) : options_(o), socket_(socket) {
    if (!o.tls) return;
    tls_.emplace(socket);
    demand(tls_->handshake(), "TLS handshake");
  }

  void send(const std::string& text) {
    const std::span bytes = std::as_bytes(std::span(text));
    if (!tls_) {
      write_all(socket_, bytes, "health");
      return;
    }
    for (std::size_t done = 0, put = 0; done < bytes.size(); done += put) {
      demand(tls_->write(bytes.data() + done, bytes.size() - done, put), "send");
    }
  }

  /// Nothing at the end.
  std::size_t receive(std::span<char> room) {
    std::size_t got = 0;
    if (tls_) {
      const http::TlsResult result = tls_->read(room.data(), room.size(), got);
      if (result != http::TlsResult::kClosed) demand(result, "receive");
      return got;
    }
    const ssize_t count = recv(socket_, room.data(), room.size(), 0);
    if (count < 0) nobody(options_, "receive");
    return static_cast<std::size_t>(count);
  }

 private:
  void demand(http::TlsResult result, const char* what) const {
    if (result == http::TlsResult::kDone) return;
    throw Error(
        Code::kDevice,
        format("health: expected an answer of %s, found: %s: %s", excerpt(options_.address).c_str(),
               what, result == http::TlsResult::kFailed ? "failed" : "nothing came in time"));
  }

  const Options& options_;
  int socket_;
  std::optional<http::TlsConnection> tls_;
};

/// The first bytes of the answer, enough for its status line.
std::string ask(const Options& o) {
  const sockaddr_in address = address_of(o.address);
  const Socket connection;
  const timeval limit{.tv_sec = o.timeout, .tv_usec = 0};
  setsockopt(connection.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  setsockopt(connection.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  if (connect(connection.get(), generic, sizeof address) != 0) nobody(o, "connect");
  const std::string request = format("GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n",
                                     o.alive ? "/healthz" : "/readyz", o.address.c_str());
  Line line(o, connection.get());
  line.send(request);
  std::string answer;
  char piece[512];
  while (answer.size() < 64 && answer.find('\n') == std::string::npos) {
    const std::size_t count = line.receive(piece);
    if (count == 0) break;
    answer.append(piece, count);
  }
  return answer;
}

}  // namespace

int run_health(Words words) {
  Options o;
  const std::vector<Flag> flags = flags_of(o);
  const CommandLine line = split_command_line(flags, words);
  if (line.help) {
    write_stdout(kHelp + describe(flags));
    return 0;
  }
  for (const GivenFlag& given : line.flags) store(*given.flag, given.text);
  if (!line.words.empty()) {
    throw Error(Code::kInvalidArgument, format("octet health: expected flags only, found '%s'",
                                               excerpt(line.words[0]).c_str()));
  }
  const std::string answer = ask(o);
  if (!answer.starts_with("HTTP/1.1 200")) {
    throw Error(Code::kDevice, format("health: expected %s to be %s, found '%s'",
                                      excerpt(o.address).c_str(), o.alive ? "alive" : "ready",
                                      excerpt(answer.substr(0, answer.find('\r'))).c_str()));
  }
  if (!o.quiet) write_stdout(o.alive ? "alive\n" : "ready\n");
  return 0;
}

}  // namespace octet::cli
