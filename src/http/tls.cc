#include "http/tls.h"

#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>
#include <ctime>
#include <utility>

#include "base/format.h"
#include "octet/error.h"

namespace octet::http {
namespace {

constexpr std::size_t kLargestFile = 1 << 20;
constexpr int kSecurityLevel = 2;            // 112 bits: RSA of 2048, no SHA-1
constexpr int kWarnSeconds = 7 * 24 * 3600;  // before the end of a certificate

template <class T, void (*kFree)(T*)>
struct Freeing {
  void operator()(T* object) const { kFree(object); }
};
using Certificate = std::unique_ptr<X509, Freeing<X509, X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Freeing<EVP_PKEY, EVP_PKEY_free>>;
using Bio = std::unique_ptr<BIO, Freeing<BIO, BIO_free_all>>;

void prepare_library() {
  // Neither openssl.cnf nor OPENSSL_CONF may change what a server of ours accepts.
  static const bool done =
      OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, nullptr) == 1;
  if (!done) throw Error(Code::kDevice, "TLS: OpenSSL cannot be prepared");
}

/// What OpenSSL says last, and forgets.
std::string reason() {
  const unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  const char* text = code != 0 ? ERR_reason_error_string(code) : nullptr;
  return text ? text : "no reason given";
}

// ------------------------------------------------------------------------------------ the files

struct Descriptor {
  explicit Descriptor(const std::string& path)
      : number(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {}
  ~Descriptor() {
    if (number >= 0) ::close(number);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  const int number;
};

/// What is judged is what is read: the file is opened once.
class File {
 public:
  File(const char* flag, const std::string& path)
      : name_(format("%s: %s", flag, excerpt(path).c_str())), descriptor_(path) {
    if (descriptor_.number < 0 || ::fstat(descriptor_.number, &info_) != 0) {
      fail(std::strerror(errno));
    }
    if (!S_ISREG(info_.st_mode)) fail("expected a regular file");
  }

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const struct stat& info() const { return info_; }

  [[nodiscard]] std::string read() const {
    std::string text;
    char piece[4096];
    ssize_t got = 0;
    while ((got = ::read(descriptor_.number, piece, sizeof(piece))) > 0) {
      text.append(piece, static_cast<std::size_t>(got));
      if (text.size() > kLargestFile) fail("expected at most 1 MiB");
    }
    if (got < 0) fail(std::strerror(errno));
    return text;
  }

 private:
  [[noreturn]] void fail(const char* what) const { throw Error(Code::kIo, name_ + ": " + what); }

  std::string name_;
  Descriptor descriptor_;
  struct stat info_ {};
};

[[noreturn]] void refuse(const File& file, const std::string& what) {
  throw Error(Code::kInvalidArgument, file.name() + ": " + what);
}

Bio bio_of(const std::string& text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

/// For keys with a passphrase: there is nobody to ask.
int no_passphrase(char*, int, int, void*) { return -1; }

/// A group may read a key, as Debian's ssl-cert does; nobody else, and only its owner and root may
/// have put it there.
Key read_key(const File& file) {
  const struct stat& info = file.info();
  if ((info.st_mode & 027) != 0 || (info.st_uid != ::geteuid() && info.st_uid != 0)) {
    throw Error(Code::kRefused,
                format("%s: expected a file of this user or root that others cannot read, found "
                       "mode %04o; chmod 600 closes it",
                       file.name().c_str(), info.st_mode & 07777));
  }
  std::string text = file.read();
  Key key(PEM_read_bio_PrivateKey(bio_of(text).get(), nullptr, no_passphrase, nullptr));
  OPENSSL_cleanse(text.data(), text.size());
  if (!key) refuse(file, "expected a private key without passphrase as PEM: " + reason());
  return key;
}

/// The server's own certificate, and behind it those that vouch for it.
void use_certificates(SSL_CTX* context, const File& file) {
  const std::string text = file.read();
  const Bio bio = bio_of(text);
  const Certificate first(PEM_read_bio_X509_AUX(bio.get(), nullptr, no_passphrase, nullptr));
  if (!first) refuse(file, "expected a certificate as PEM: " + reason());
  if (SSL_CTX_use_certificate(context, first.get()) != 1) {
    refuse(file, "the certificate cannot be used: " + reason());
  }
  while (true) {
    const Certificate next(PEM_read_bio_X509(bio.get(), nullptr, no_passphrase, nullptr));
    if (!next) break;
    if (SSL_CTX_add1_chain_cert(context, next.get()) != 1) {
      refuse(file, "the chain cannot be used: " + reason());
    }
  }
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  if (!at_end) refuse(file, "expected certificates as PEM: " + reason());
  ERR_clear_error();
}

// ----------------------------------------------------------------------------------- the sockets

int socket_of(BIO* bio) { return static_cast<int>(reinterpret_cast<long>(BIO_get_data(bio))); }

void set_socket(BIO* bio, int socket) {
  BIO_set_data(bio, reinterpret_cast<void*>(static_cast<long>(socket)));
}

bool is_for_later() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

/// OpenSSL's own would raise SIGPIPE when the client is gone.
int send_bytes(BIO* bio, const char* bytes, int size) {
  BIO_clear_retry_flags(bio);
  const ssize_t sent = ::send(socket_of(bio), bytes, static_cast<std::size_t>(size), MSG_NOSIGNAL);
  if (sent < 0 && is_for_later()) BIO_set_retry_write(bio);
  return static_cast<int>(sent);
}

int receive_bytes(BIO* bio, char* bytes, int size) {
  BIO_clear_retry_flags(bio);
  const ssize_t got = ::recv(socket_of(bio), bytes, static_cast<std::size_t>(size), 0);
  if (got < 0 && is_for_later()) BIO_set_retry_read(bio);
  return static_cast<int>(got);
}

long control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

const BIO_METHOD* socket_method() {
  static const BIO_METHOD* const kMethod = [] {
    BIO_METHOD* method =
        BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket without SIGPIPE");
    BIO_meth_set_write(method, send_bytes);
    BIO_meth_set_read(method, receive_bytes);
    BIO_meth_set_ctrl(method, control);
    return method;
  }();
  return kMethod;
}

/// HTTP/1.1 or, for clients that know no ALPN, nothing.
int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_size,
                    const unsigned char* offered, unsigned offered_size, void*) {
  static constexpr unsigned char kHttp[] = "\x08http/1.1";
  const int found = SSL_select_next_proto(const_cast<unsigned char**>(out), out_size, kHttp,
                                          sizeof(kHttp) - 1, offered, offered_size);
  return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

SSL_CTX* new_context(const SSL_METHOD* method) {
  prepare_library();
  SSL_CTX* context = SSL_CTX_new(method);
  if (!context) throw Error(Code::kDevice, "TLS: no context: " + reason());
  SSL_CTX_set_security_level(context, kSecurityLevel);
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  return context;
}

}  // namespace

TlsIdentity::TlsIdentity(const std::string& certificate, const std::string& key)
    : context_(new_context(TLS_server_method())) {
  try {
    SSL_CTX_set_options(context_, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                      SSL_OP_NO_TICKET | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                      SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_num_tickets(context_, 0);
    SSL_CTX_set_session_cache_mode(context_, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_alpn_select_cb(context_, choose_protocol, nullptr);
    // Of TLS 1.2 what keeps yesterday's sessions secret from who steals the key, and is authentic.
    SSL_CTX_set_cipher_list(context_, "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL");
    const File certificates("--tls-cert", certificate);
    const File keys("--tls-key", key);
    use_certificates(context_, certificates);
    const Key own = read_key(keys);
    if (X509_check_private_key(SSL_CTX_get0_certificate(context_), own.get()) != 1) {
      ERR_clear_error();
      refuse(keys, "expected the key of the certificate in --tls-cert, found another one's");
    }
    if (SSL_CTX_use_PrivateKey(context_, own.get()) != 1) {
      refuse(keys, "the key cannot be used: " + reason());
    }
  } catch (...) {
    SSL_CTX_free(context_);
    throw;
  }
}

TlsIdentity::~TlsIdentity() { SSL_CTX_free(context_); }

std::string TlsIdentity::warning() const {
  const X509* certificate = SSL_CTX_get0_certificate(context_);
  std::time_t now = std::time(nullptr), soon = now + kWarnSeconds;
  const ASN1_TIME* end = X509_get0_notAfter(certificate);
  if (X509_cmp_time(X509_get0_notBefore(certificate), &now) > 0) {
    return "the certificate of --tls-cert is not valid yet: clients will refuse it";
  }
  if (X509_cmp_time(end, &now) < 0) {
    return "the certificate of --tls-cert has expired: clients will refuse it";
  }
  return X509_cmp_time(end, &soon) < 0 ? "the certificate of --tls-cert expires within a week" : "";
}

TlsConnection::TlsConnection(const TlsIdentity& identity, int socket)
    : ssl_(SSL_new(identity.context_)) {
  attach(socket);
  SSL_set_accept_state(ssl_);
}

TlsConnection::TlsConnection(int socket) : own_context_(new_context(TLS_client_method())) {
  ssl_ = SSL_new(own_context_);
  attach(socket);
  SSL_set_connect_state(ssl_);
}

void TlsConnection::attach(int socket) {
  BIO* bio = ssl_ ? BIO_new(socket_method()) : nullptr;
  if (!bio) {
    SSL_free(ssl_);
    SSL_CTX_free(own_context_);
    throw Error(Code::kOutOfMemory, "TLS: no memory for a connection");
  }
  set_socket(bio, socket);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_, bio, bio);
}

TlsConnection::~TlsConnection() {
  SSL_free(ssl_);
  SSL_CTX_free(own_context_);
}

TlsResult TlsConnection::result_of(int returned) const {
  const int error = SSL_get_error(ssl_, returned);
  ERR_clear_error();
  switch (error) {
    case SSL_ERROR_NONE:
      return TlsResult::kDone;
    case SSL_ERROR_WANT_READ:
      return TlsResult::kWaitRead;
    case SSL_ERROR_WANT_WRITE:
      return TlsResult::kWaitWrite;
    case SSL_ERROR_ZERO_RETURN:
      return TlsResult::kClosed;
    default:
      return TlsResult::kFailed;
  }
}

TlsResult TlsConnection::handshake() {
  ERR_clear_error();
  return result_of(SSL_do_handshake(ssl_));
}

TlsResult TlsConnection::read(void* bytes, std::size_t size, std::size_t& got) {
  got = 0;
  if (size == 0) return TlsResult::kDone;
  ERR_clear_error();
  return result_of(SSL_read_ex(ssl_, bytes, size, &got));
}

TlsResult TlsConnection::write(const void* bytes, std::size_t size, std::size_t& put) {
  put = 0;
  if (size == 0) return TlsResult::kDone;
  ERR_clear_error();
  return result_of(SSL_write_ex(ssl_, bytes, size, &put));
}

bool TlsConnection::has_pending() const { return SSL_pending(ssl_) > 0; }

void TlsConnection::close_notify() {
  if (!SSL_is_init_finished(ssl_)) return;
  ERR_clear_error();
  SSL_shutdown(ssl_);
  ERR_clear_error();
}

void TlsConnection::forget_socket() { set_socket(SSL_get_rbio(ssl_), -1); }

}  // namespace octet::http
