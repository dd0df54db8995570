// A client that sends exactly the bytes that a test wants, and reads what comes back.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "http/tls.h"

namespace octet::test {

struct HttpAnswer {
  int status = 0;    // 0: the connection ended without one
  std::string head;  // status line and headers
  std::string body;  // without its framing
  [[nodiscard]] std::string header(const std::string& name) const;
};

/// One connection to a server on this machine, over TLS if wanted.
class HttpConnection {
 public:
  explicit HttpConnection(std::uint16_t port, bool tls = false);
  ~HttpConnection();
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  /// False when the other side is gone.
  bool send(const std::string& bytes) const;
  /// The next answer, by its length or its chunks; waits at most `seconds` for each piece.
  HttpAnswer receive(double seconds = 20);
  /// The next text up to and including `end`; empty when none comes.
  std::string receive_until(const std::string& end, double seconds = 20);
  /// Whether the other side closes within the time; what it sends before is dropped.
  bool closes_within(double seconds);
  /// Sends no more, but still reads.
  void half_close() const;

 private:
  bool read_more(double seconds);

  int socket_;
  std::unique_ptr<http::TlsConnection> tls_;
  std::string buffer_;
};

/// One request on a connection of its own.
HttpAnswer http_request(std::uint16_t port, const std::string& method, const std::string& path,
                        const std::string& body = "", const std::string& headers = "",
                        bool tls = false);
/// The text of such a request.
std::string request_text(const std::string& method, const std::string& path,
                         const std::string& body = "", const std::string& headers = "");

}  // namespace octet::test
