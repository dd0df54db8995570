#include "support/http_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stdexcept>

namespace octet::test {

std::string HttpAnswer::header(const std::string& name) const {
  const std::size_t place = head.find("\r\n" + name + ": ");
  if (place == std::string::npos) return "";
  const std::size_t begin = place + 4 + name.size();
  return head.substr(begin, head.find("\r\n", begin) - begin);
}

HttpConnection::HttpConnection(std::uint16_t port, bool tls)
    : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    ::close(socket_);
    throw std::runtime_error("cannot connect");
  }
  if (!tls) return;
  tls_ = std::make_unique<http::TlsConnection>(socket_);
  if (tls_->handshake() != http::TlsResult::kDone) {
    tls_.reset();
    ::close(socket_);
    throw std::runtime_error("no TLS");
  }
}

HttpConnection::~HttpConnection() { ::close(socket_); }

bool HttpConnection::send(const std::string& bytes) const {
  std::size_t done = 0;
  while (done < bytes.size()) {
    std::size_t put = 0;
    if (tls_) {
      tls_->write(bytes.data() + done, bytes.size() - done, put);
    } else {
      const ssize_t sent = ::send(socket_, bytes.data() + done, bytes.size() - done, MSG_NOSIGNAL);
      put = sent > 0 ? static_cast<std::size_t>(sent) : 0;
    }
    if (put == 0) return false;
    done += put;
  }
  return true;
}

bool HttpConnection::read_more(double seconds) {
  pollfd wanted{socket_, POLLIN, 0};
  const bool here = tls_ && tls_->has_pending();
  if (!here && ::poll(&wanted, 1, static_cast<int>(seconds * 1000)) <= 0) return false;
  char piece[65536];
  std::size_t got = 0;
  if (tls_) {
    tls_->read(piece, sizeof(piece), got);
  } else {
    const ssize_t count = ::recv(socket_, piece, sizeof(piece), 0);
    got = count > 0 ? static_cast<std::size_t>(count) : 0;
  }
  buffer_.append(piece, got);
  return got > 0;
}

std::string HttpConnection::receive_until(const std::string& end, double seconds) {
  std::size_t place = 0;
  while ((place = buffer_.find(end)) == std::string::npos) {
    if (!read_more(seconds)) return "";
  }
  const std::string text = buffer_.substr(0, place + end.size());
  buffer_.erase(0, place + end.size());
  return text;
}

HttpAnswer HttpConnection::receive(double seconds) {
  HttpAnswer answer;
  answer.head = receive_until("\r\n\r\n", seconds);
  if (answer.head.size() < 12) return answer;
  answer.status = std::stoi(answer.head.substr(9, 3));
  if (answer.head.find("Transfer-Encoding: chunked") != std::string::npos) {
    while (true) {
      const std::string line = receive_until("\r\n", seconds);
      const std::size_t size = line.empty() ? 0 : std::stoul(line, nullptr, 16);
      while (buffer_.size() < size + 2 && read_more(seconds)) {
      }
      answer.body += buffer_.substr(0, size);
      buffer_.erase(0, size + 2);
      if (size == 0) return answer;
    }
  }
  const std::string length = answer.header("Content-Length");
  const std::size_t size = length.empty() ? 0 : std::stoul(length);
  while (buffer_.size() < size && read_more(seconds)) {
  }
  answer.body = buffer_.substr(0, size);
  buffer_.erase(0, size);
  return answer;
}

bool HttpConnection::closes_within(double seconds) {
  pollfd wanted{socket_, POLLIN, 0};
  while (::poll(&wanted, 1, static_cast<int>(seconds * 1000)) > 0) {
    char piece[4096];
    if (::recv(socket_, piece, sizeof(piece), 0) <= 0) return true;
  }
  return false;
}

void HttpConnection::half_close() const { ::shutdown(socket_, SHUT_WR); }

std::string request_text(const std::string& method, const std::string& path,
                         const std::string& body, const std::string& headers) {
  std::string text = method + " " + path + " HTTP/1.1\r\nHost: localhost\r\n" + headers;
  if (method == "POST") {
    text +=
        "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
  }
  return text + "\r\n" + body;
}

HttpAnswer http_request(std::uint16_t port, const std::string& method, const std::string& path,
                        const std::string& body, const std::string& headers, bool tls) {
  HttpConnection connection(port, tls);
  connection.send(request_text(method, path, body, headers));
  return connection.receive();
}

}  // namespace octet::test
