// TLS: what is served over it, what is refused at the start and by the handshake.

#include "http/tls.h"

#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/stat.h>

#include <fstream>
#include <iterator>
#include <thread>

#include "http/echo.h"
#include "support/certificates.h"
#include "support/errors.h"
#include "support/http_client.h"
#include "support/temp_folder.h"

namespace octet::http {
namespace {

using std::chrono::milliseconds;
using test::Echo;
using test::expect_error;
using test::HttpAnswer;
using test::HttpConnection;

const std::string kGet = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";

class Tls : public testing::Test {
 protected:
  Tls() {
    test::write_certificate(path_);
    server_.emplace(
        ServerOptions{.port = 0,
                      .connections = 40,
                      .idle = milliseconds(400),
                      .handshake = milliseconds(300),
                      .header = milliseconds(300),
                      .heartbeat = milliseconds(100),
                      .tls = std::make_shared<TlsIdentity>(path_ + ".crt", path_ + ".key")},
        echo_);
    thread_ = std::thread([this] { server_->run(); });
  }
  ~Tls() override {
    echo_.waiting.reset();
    server_->stop();
    thread_.join();
  }

  test::TempFolder folder_;
  const std::string path_ = folder_.path() + "/tls";
  Echo echo_;
  std::optional<Server> server_;
  std::thread thread_;
};

TEST_F(Tls, CarriesRequestsOfAllKinds) {
  HttpConnection connection(server_->port(), true);
  for (int i = 0; i < 3; ++i) {
    connection.send(kGet);
    EXPECT_EQ(connection.receive().body, "GET /a  ");
  }
  connection.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(connection.receive().body, "GET /1  ");
  EXPECT_EQ(connection.receive().body, "GET /2  ");
  const std::string post = "POST /p HTTP/1.1\r\nHost: a\r\n";
  connection.send(post + "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(connection.receive().status, 100);
  connection.send("ok");
  EXPECT_EQ(connection.receive().body, "POST /p  ok");
  connection.send(post + "Transfer-Encoding: chunked\r\n\r\n2\r\na");
  connection.send("b\r\n0\r\n\r\n");
  EXPECT_EQ(connection.receive().body, "POST /p  ab");
  connection.send("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(connection.receive().body, "data: 1\n\ndata: 2\n\n");
  connection.send("GET /beat HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_NE(connection.receive_until(": beat\n\n", 2), "");
  EXPECT_NE(connection.receive_until(": beat\n\n", 2), "");
}

TEST_F(Tls, CarriesAnswersLargerThanAnyBuffer) {
  HttpConnection connection(server_->port(), true);
  connection.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
  std::this_thread::sleep_for(milliseconds(50));  // the server has to wait for us
  EXPECT_EQ(connection.receive().body, std::string(Echo::kLarge, 'l'));
  // What the client asks for meanwhile is read beside the writing.
  connection.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n" + kGet);
  EXPECT_EQ(connection.receive().body.size(), Echo::kLarge);
  EXPECT_EQ(connection.receive().body, "GET /a  ");
}

TEST_F(Tls, WhatOneRecordHoldsBesideARequestIsNotForgotten) {
  for (const std::size_t size : {256u, 512u, 1024u, 1536u, 2048u, 4096u}) {  // steps of reading
    HttpConnection connection(server_->port(), true);
    const std::string head = "GET /1 HTTP/1.1\r\nHost: a\r\nX: ";
    connection.send(head + std::string(size - head.size() - 4, 'x') + "\r\n\r\n" + kGet);
    EXPECT_EQ(connection.receive().body, "GET /1  ") << size;
    EXPECT_EQ(connection.receive().body, "GET /a  ") << size;
  }
}

TEST_F(Tls, NoticesThatTheClientLeft) {
  {
    HttpConnection connection(server_->port(), true);
    connection.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
    std::this_thread::sleep_for(milliseconds(50));
    EXPECT_FALSE(echo_.gone);
  }
  for (int i = 0; i < 100 && !echo_.gone; ++i) std::this_thread::sleep_for(milliseconds(10));
  EXPECT_TRUE(echo_.gone);
}

TEST_F(Tls, PlainTextIsAnsweredByClosing) {
  for (const std::string& bytes : {kGet, std::string("\n\n\n\n\n\n"), std::string(5000, '\x16')}) {
    HttpConnection connection(server_->port());
    connection.send(bytes);
    EXPECT_EQ(connection.receive(1).head.find("HTTP/1.1 200"), std::string::npos);
    EXPECT_TRUE(connection.closes_within(0.2)) << bytes.size();
  }
}

TEST_F(Tls, TheHandshakeHasADeadlineOfItsOwn) {
  HttpConnection silent(server_->port()), slow(server_->port());
  const std::string hello("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11);
  for (const char byte : hello.substr(0, 8)) {  // however steadily it goes on
    slow.send(std::string(1, byte));
    std::this_thread::sleep_for(milliseconds(50));
  }
  EXPECT_TRUE(silent.closes_within(0.2));
  EXPECT_TRUE(slow.closes_within(0.2));
}

TEST_F(Tls, DeadlinesOfRequestsAreAbsolute) {
  HttpConnection head(server_->port(), true), idle(server_->port(), true);
  for (int i = 0; i < 8; ++i) {
    head.send("G");
    std::this_thread::sleep_for(milliseconds(50));
  }
  EXPECT_TRUE(head.closes_within(0.2));
  EXPECT_TRUE(idle.closes_within(1));
}

// ------------------------------------------------------------------------------ clients of old

/// What a client with settings of its own got: "TLSv1.3 CIPHER ALPN", or why it was refused.
class Client {
 public:
  Client() : context_(SSL_CTX_new(TLS_client_method())) { SSL_CTX_set_security_level(context_, 0); }
  ~Client() { SSL_CTX_free(context_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  [[nodiscard]] SSL_CTX* context() { return context_; }
  std::string connect(std::uint16_t port) {
    ERR_clear_error();
    BIO* bio = BIO_new_ssl_connect(context_);
    BIO_set_conn_hostname(bio, ("127.0.0.1:" + std::to_string(port)).c_str());
    SSL* ssl = nullptr;
    BIO_get_ssl(bio, &ssl);
    std::string found;
    if (BIO_do_handshake(bio) == 1) {
      const unsigned char* protocol = nullptr;
      unsigned size = 0;
      SSL_get0_alpn_selected(ssl, &protocol, &size);
      found = std::string(SSL_get_version(ssl)) + " " + SSL_get_cipher(ssl) + " " +
              std::string(protocol, protocol + size);
      renegotiates = SSL_version(ssl) == TLS1_2_VERSION && SSL_renegotiate(ssl) == 1 &&
                     SSL_do_handshake(ssl) == 1;
      ticket = SSL_SESSION_has_ticket(SSL_get0_session(ssl)) == 1;
    } else {
      const char* reason = ERR_reason_error_string(ERR_peek_last_error());
      found = reason ? reason : "closed";
    }
    BIO_free_all(bio);
    return found;
  }
  bool renegotiates = false, ticket = false;

 private:
  SSL_CTX* context_;
};

TEST_F(Tls, SpeaksOneThreeAndOneTwo) {
  Client latest, older;
  EXPECT_TRUE(latest.connect(server_->port()).starts_with("TLSv1.3 TLS_"));
  EXPECT_FALSE(latest.ticket);
  SSL_CTX_set_max_proto_version(older.context(), TLS1_2_VERSION);
  const std::string got = older.connect(server_->port());
  EXPECT_TRUE(got.starts_with("TLSv1.2 ECDHE-ECDSA-")) << got;
  EXPECT_TRUE(got.find("GCM") != std::string::npos || got.find("CHACHA") != std::string::npos);
  EXPECT_FALSE(older.renegotiates);
  EXPECT_FALSE(older.ticket);
}

TEST_F(Tls, RefusesOldVersionsAndWeakCiphers) {
  for (const int version : {TLS1_VERSION, TLS1_1_VERSION}) {
    Client client;
    SSL_CTX_set_min_proto_version(client.context(), version);
    SSL_CTX_set_max_proto_version(client.context(), version);
    EXPECT_EQ(client.connect(server_->port()), "tlsv1 alert protocol version");
  }
  // Without forward secrecy, without authenticated encryption, without a certificate.
  for (const char* ciphers : {"AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA", "aNULL:eNULL"}) {
    Client client;
    SSL_CTX_set_max_proto_version(client.context(), TLS1_2_VERSION);
    SSL_CTX_set_cipher_list(client.context(), ciphers);
    EXPECT_EQ(client.connect(server_->port()), "sslv3 alert handshake failure") << ciphers;
  }
}

TEST_F(Tls, SpeaksHttpOneAlone) {
  Client both, only_two;
  const unsigned char two_and_one[] = "\x02h2\x08http/1.1";
  SSL_CTX_set_alpn_protos(both.context(), two_and_one, sizeof(two_and_one) - 1);
  EXPECT_TRUE(both.connect(server_->port()).ends_with(" http/1.1"));
  SSL_CTX_set_alpn_protos(only_two.context(), two_and_one, 3);
  EXPECT_EQ(only_two.connect(server_->port()), "tlsv1 alert no application protocol");
}

// --------------------------------------------------------------------------------- the identity

class Identity : public testing::Test {
 protected:
  std::string make(const std::string& name, const test::CertificateOptions& options = {}) {
    test::write_certificate(folder_.path() + "/" + name, options);
    return folder_.path() + "/" + name;
  }
  static void refused(Code code, const std::string& part, const std::string& certificate,
                      const std::string& key) {
    expect_error(code, part, [&] { const TlsIdentity identity(certificate, key); });
  }

  test::TempFolder folder_;
};

TEST_F(Identity, CertificateAndKeyMustBeAPair) {
  const std::string a = make("a"), b = make("b"), weak = make("weak", {.rsa_bits = 1024});
  const TlsIdentity pair(a + ".crt", a + ".key");
  refused(Code::kInvalidArgument, "another one's", a + ".crt", b + ".key");
  refused(Code::kInvalidArgument, "--tls-cert: ", a + ".key", a + ".key");
  ::chmod((b + ".crt").c_str(), 0600);
  refused(Code::kInvalidArgument, "--tls-key: ", a + ".crt", b + ".crt");
  refused(Code::kInvalidArgument, "key too small", weak + ".crt", weak + ".key");
  const std::string locked = make("locked", {.passphrase = "word"});
  refused(Code::kInvalidArgument, "without passphrase", locked + ".crt", locked + ".key");
  refused(Code::kIo, "--tls-cert: ", folder_.path() + "/none", a + ".key");
  refused(Code::kIo, "--tls-key: ", a + ".crt", folder_.path() + "/none");
  refused(Code::kIo, "regular", folder_.path(), a + ".key");
}

TEST_F(Identity, ChainsAreTakenWholeOrNotAtAll) {
  const std::string a = make("a"), b = make("b");
  const auto text = [](const std::string& path) {
    std::ifstream file(path);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  const std::string chain = folder_.path() + "/chain";
  std::ofstream(chain) << text(a + ".crt") << text(b + ".crt");
  const TlsIdentity whole(chain, a + ".key");
  const std::string second = text(b + ".crt");
  std::ofstream(chain) << text(a + ".crt") << second.substr(0, second.size() / 2) << "\n"
                       << "-----END CERTIFICATE-----\n";
  refused(Code::kInvalidArgument, "--tls-cert: ", chain, a + ".key");
  std::ofstream(chain) << std::string((1 << 20) + 1, 'x');
  refused(Code::kIo, "1 MiB", chain, a + ".key");
}

TEST_F(Identity, KeysThatOthersCouldReadAreRefused) {
  const std::string a = make("a");
  for (const mode_t mode : {0604u, 0644u, 0602u, 0620u, 0601u}) {
    ::chmod((a + ".key").c_str(), mode);
    refused(Code::kRefused, "chmod 600", a + ".crt", a + ".key");
  }
  for (const mode_t mode : {0600u, 0400u, 0640u}) {
    ::chmod((a + ".key").c_str(), mode);
    const TlsIdentity identity(a + ".crt", a + ".key");
  }
}

TEST_F(Identity, WarnsOfTheCertificatesTime) {
  constexpr long kDay = 24L * 3600;
  const auto warning = [&](long begins, long ends) {
    const std::string path = make("t", {.begins = begins, .ends = ends});
    return TlsIdentity(path + ".crt", path + ".key").warning();
  };
  EXPECT_EQ(warning(-kDay, 30 * kDay), "");
  EXPECT_NE(warning(-kDay, 6 * kDay).find("within a week"), std::string::npos);
  EXPECT_NE(warning(-2 * kDay, -kDay).find("expired"), std::string::npos);
  EXPECT_NE(warning(kDay, 30 * kDay).find("not valid yet"), std::string::npos);
}

}  // namespace
}  // namespace octet::http
