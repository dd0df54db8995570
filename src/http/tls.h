// TLS on sockets: 1.2 and 1.3, with OpenSSL, which only tls.cc includes.
//
// A TlsIdentity is what a server proves itself with: a chain of certificates and the private key of
// the first, as PEM. The key must be closed to others. A TlsConnection is one end of a connection
// on a socket that it does not own; on one that does not block its functions do not block either
// and say what they wait for. Configuration files, engines and variables of OpenSSL are not read.
//
// No renegotiation, no compression, no session tickets (their key would outlive every session's
// own), only HTTP/1.1 by ALPN. Memory: buffers of 16 KiB come and go with what is under way.
//
// Thread-safety: TlsIdentity may be shared, a TlsConnection belongs to one thread. Errors:
// TlsIdentity throws Error(kIo) for files that cannot be read, Error(kRefused) for a key that is
// open to others, Error(kInvalidArgument) for what is no certificate, no key, or no pair; failures
// of a connection are results.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

struct ssl_ctx_st;
struct ssl_st;

namespace octet::http {

class TlsIdentity {
 public:
  TlsIdentity(const std::string& certificate, const std::string& key);
  ~TlsIdentity();
  TlsIdentity(const TlsIdentity&) = delete;
  TlsIdentity& operator=(const TlsIdentity&) = delete;

  /// What is wrong with the certificate's time; empty: nothing for a week to come.
  [[nodiscard]] std::string warning() const;

 private:
  friend class TlsConnection;
  ssl_ctx_st* context_;
};

enum class TlsResult {
  kDone,
  kWaitRead,   // call again when the socket can be read
  kWaitWrite,  // ... or written to
  kClosed,     // the other side has said good-bye
  kFailed,     // it left, or spoke no TLS that is accepted here
};

class TlsConnection {
 public:
  /// The server's end. `identity` must outlive it.
  TlsConnection(const TlsIdentity& identity, int socket);
  /// A client's end, which takes any certificate.
  explicit TlsConnection(int socket);
  ~TlsConnection();
  TlsConnection(const TlsConnection&) = delete;
  TlsConnection& operator=(const TlsConnection&) = delete;

  /// To be repeated until it is done; nothing else may be called before.
  TlsResult handshake();
  /// At most `size` bytes, at least one when it is done.
  TlsResult read(void* bytes, std::size_t size, std::size_t& got);
  TlsResult write(const void* bytes, std::size_t size, std::size_t& put);
  /// Whether read() has bytes without the socket.
  [[nodiscard]] bool has_pending() const;
  /// Says good-bye, if that is possible at once.
  void close_notify();
  /// The socket is closed: whatever is called from now on fails.
  void forget_socket();

 private:
  void attach(int socket);
  [[nodiscard]] TlsResult result_of(int returned) const;

  ssl_ctx_st* own_context_ = nullptr;  // a client's
  ssl_st* ssl_ = nullptr;
};

}  // namespace octet::http
