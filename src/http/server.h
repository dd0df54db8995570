// An HTTP/1.1 server: bounded, with deadlines, one thread for all connections.
//
// The server knows messages, not their meaning: an Application judges heads, answers requests and
// words the errors. What the server does itself, before the application sees a request: header of
// at most 16 KiB and 100 lines, target of at most 8 KiB, no chunk extensions, no length beside
// chunks, no second length; head and body must arrive within absolute deadlines, however steadily a
// client trickles; connections are counted, in all and per peer.
//
// Thread-safety: Server::run belongs to one thread, which calls the application; stop_listening,
// stop and all functions of Exchange may be called from any. Errors: Error(kDevice) when the
// address cannot be listened on; failures of connections end that connection only.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "http/message.h"

namespace octet::http {

/// One request that waits for its answer. Answered once, by respond() or by begin() ... end();
/// what comes after the client left or a second time is dropped. One that is destroyed without an
/// answer answers 500.
class Exchange {
 public:
  Exchange() = default;
  virtual ~Exchange() = default;
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  virtual void respond(Response response) = 0;
  /// Starts an answer that grows. `heartbeat` is sent whenever nothing else was for 10 s.
  virtual void begin(Response head, std::string heartbeat) = 0;
  virtual void send(std::string bytes) = 0;
  virtual void end() = 0;
  /// Called on the server's thread when the client leaves before its answer is complete.
  virtual void on_gone(std::function<void()> callback) = 0;
};

/// What to do with a request whose head has been read.
struct Admission {
  std::optional<Response> refusal;  // answered without reading the body
  std::size_t body_limit = 0;       // bytes
};

class TlsIdentity;

class Application {
 public:
  Application() = default;
  virtual ~Application() = default;
  Application(const Application&) = delete;
  Application& operator=(const Application&) = delete;

  virtual Admission admit(const Request& head) = 0;
  virtual void handle(Request request, std::shared_ptr<Exchange> exchange) = 0;
  /// The body of an error that the server itself found; `head` holds what is known so far.
  virtual Response error(const Request& head, int status, const std::string& message) = 0;
};

struct ServerOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 8080;  // 0: any free one
  std::size_t connections = 2048;
  std::size_t connections_per_peer = 1536;
  std::chrono::milliseconds idle{60000};       // between requests of one connection
  std::chrono::milliseconds handshake{10000};  // of TLS
  std::chrono::milliseconds header{10000};     // for the whole head
  std::chrono::milliseconds body{30000};       // for the whole body
  std::chrono::milliseconds write{30000};      // for one answer or one piece of a growing one
  std::chrono::milliseconds heartbeat{10000};
  std::shared_ptr<const TlsIdentity> tls = {};  // tls.h; null: plain text
};

class Server {
 public:
  Server(const ServerOptions& options, Application& application);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  [[nodiscard]] std::uint16_t port() const;
  /// Serves until stop().
  void run();
  /// No further connections; those that there are go on.
  void stop_listening();
  /// Closes everything; run() returns. Answers that are already being written are given two
  /// seconds.
  void stop();
  [[nodiscard]] std::size_t connections() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace octet::http
