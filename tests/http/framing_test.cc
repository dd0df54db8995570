// The server's own rules about connections and framing, over loopback, with an application that
// answers what it got. Each rule is broken once.

#include <gtest/gtest.h>

#include <thread>

#include "http/echo.h"
#include "support/http_client.h"

namespace octet::http {
namespace {

using std::chrono::milliseconds;
using test::Echo;
using test::HttpAnswer;
using test::HttpConnection;

class Framing : public testing::Test {
 protected:
  Framing()
      : server_({.port = 0,
                 .connections = 20,
                 .connections_per_peer = 10,
                 .idle = milliseconds(400),
                 .header = milliseconds(300),
                 .body = milliseconds(300),
                 .write = milliseconds(500),
                 .heartbeat = milliseconds(100)},
                echo_),
        thread_([this] { server_.run(); }) {}
  ~Framing() override {
    echo_.waiting.reset();
    server_.stop();
    thread_.join();
  }
  /// The answer to these bytes on a fresh connection.
  HttpAnswer answer_to(const std::string& bytes) {
    HttpConnection connection(server_.port());
    connection.send(bytes);
    return connection.receive();
  }
  static std::string post(const std::string& headers, const std::string& body) {
    return "POST /p HTTP/1.1\r\nHost: a\r\n" + headers + "\r\n" + body;
  }

  Echo echo_;
  Server server_;
  std::thread thread_;
};

TEST_F(Framing, AnswersAndKeepsTheConnection) {
  HttpConnection connection(server_.port());
  for (int i = 0; i < 3; ++i) {
    connection.send("GET /a%20b?c=d HTTP/1.1\r\nHost: a\r\n\r\n");
    const HttpAnswer answer = connection.receive();
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body, "GET /a b c=d ");
    EXPECT_EQ(answer.header("X-Content-Type-Options"), "nosniff");
    EXPECT_EQ(answer.header("Access-Control-Allow-Origin"), "");
  }
}

TEST_F(Framing, AnswersPipelinedRequestsInOrder) {
  HttpConnection connection(server_.port());
  connection.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(connection.receive().body, "GET /1  ");
  EXPECT_EQ(connection.receive().body, "GET /2  ");
}

TEST_F(Framing, TakesBodiesByLengthAndByChunks) {
  EXPECT_EQ(answer_to(post("Content-Length: 3\r\n", "abc")).body, "POST /p  abc");
  EXPECT_EQ(
      answer_to(post("Transfer-Encoding: chunked\r\n", "2\r\nab\r\n1\r\nc\r\n0\r\n\r\n")).body,
      "POST /p  abc");
}

TEST_F(Framing, RefusesTwoWaysToEndABody) {
  const std::string chunked = "Transfer-Encoding: chunked\r\n";
  for (const std::string& headers :
       {chunked + "Content-Length: 3\r\n", "Content-Length: 3\r\n" + chunked,
        std::string("Content-Length: 3\r\nContent-Length: 3\r\n"),
        std::string("Content-Length: 3\r\nContent-Length: 4\r\n"),
        std::string("Content-Length: 3, 3\r\n"), std::string("Content-Length: +3\r\n"),
        std::string("Content-Length: -1\r\n"), std::string("Content-Length: 0x3\r\n"),
        std::string("Content-Length: 99999999999999999999\r\n"), chunked + chunked,
        std::string("Transfer-Encoding: gzip, chunked\r\n"),
        std::string("Transfer-Encoding: identity\r\n"),
        std::string("Transfer-Encoding: xchunked\r\n")}) {
    const HttpAnswer answer = answer_to(post(headers, "3\r\nabc\r\n0\r\n\r\n"));
    EXPECT_EQ(answer.status, 400) << headers;
    EXPECT_EQ(answer.header("Connection"), "close") << headers;
  }
  EXPECT_EQ(answer_to("POST /p HTTP/1.0\r\n" + chunked + "\r\n3\r\nabc\r\n0\r\n\r\n").status, 400);
}

TEST_F(Framing, RefusesChunkExtensionsAndBadChunks) {
  const std::string chunked = "Transfer-Encoding: chunked\r\n";
  for (const char* body : {"3;a=b\r\nabc\r\n0\r\n\r\n", "3\r\nabc\r\n0;x\r\n\r\n", "zz\r\nabc\r\n",
                           "3\r\nabcd\r\n0\r\n\r\n", "ffffffffffffffffff\r\nabc"}) {
    EXPECT_EQ(answer_to(post(chunked, body)).status, 400) << body;
  }
}

TEST_F(Framing, TrailersDoNotBecomeHeaders) {
  EXPECT_EQ(answer_to(post("Transfer-Encoding: chunked\r\n",
                           "1\r\na\r\n0\r\nHost: evil\r\nContent-Length: 5\r\n\r\n"))
                    .status /
                100,
            4);
}

TEST_F(Framing, LimitsBodies) {
  EXPECT_EQ(answer_to(post("Content-Length: 1000\r\n", std::string(1000, 'x'))).status, 200);
  EXPECT_EQ(answer_to(post("Content-Length: 1001\r\n", "")).status, 413);
  std::string chunks;
  for (int i = 0; i < 1001; ++i) chunks += "1\r\nx\r\n";
  EXPECT_EQ(answer_to(post("Transfer-Encoding: chunked\r\n", chunks)).status, 413);
  EXPECT_EQ(answer_to(post("Transfer-Encoding: chunked\r\n", "fffffff0\r\nx")).status, 413);
  EXPECT_EQ(answer_to("GET /g HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx").status, 413);
}

TEST_F(Framing, AClientThatSendsOnStillReadsWhyItIsRefused) {
  HttpConnection connection(server_.port());
  connection.send("POST /refused HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\n\r\n" +
                  std::string(300000, 'x'));
  EXPECT_EQ(connection.receive().status, 403);
}

TEST_F(Framing, LimitsHeads) {
  const std::string get = "GET /g HTTP/1.1\r\nHost: a\r\n";
  std::string lines;
  for (int i = 0; i < 99; ++i) lines += "X-" + std::to_string(i) + ": y\r\n";
  EXPECT_EQ(answer_to(get + lines + "\r\n").status, 200);
  EXPECT_EQ(answer_to(get + lines + "X: y\r\n\r\n").status, 431);
  EXPECT_EQ(answer_to(get + "X: " + std::string(17000, 'y') + "\r\n\r\n").status, 431);
  EXPECT_EQ(answer_to("GET /" + std::string(8191, 'u') + " HTTP/1.1\r\nHost: a\r\n\r\n").status,
            200);
  EXPECT_EQ(answer_to("GET /" + std::string(8192, 'u') + " HTTP/1.1\r\nHost: a\r\n\r\n").status,
            414);
}

TEST_F(Framing, RefusesWhatIsNoHttp) {
  for (const char* bytes :
       {"\x16\x03\x01\x02\x01\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/2.0\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : a\r\n\r\n", "GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n"}) {
    EXPECT_EQ(answer_to(bytes).status, 400) << bytes;
  }
  EXPECT_EQ(answer_to("POST / HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\n"
                      "Content-Length: 1\r\n\r\nx")
                .status,
            415);
}

TEST_F(Framing, LinesEndOneWayOnly) {
  // What a proxy in front could read as two requests, or as other headers.
  for (const std::string& bytes :
       {std::string("GET /g HTTP/1.1\nHost: a\n\n"),
        std::string("GET /g HTTP/1.1\r\nHost: a\n\r\n"),
        std::string("GET /g HTTP/1.1\r\nHost: a\r\nX: a\rY: b\r\n\r\n"),
        std::string("GET /g HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n", 40),
        std::string("GET /g HTTP/1.1\r\n Host: a\r\n\r\n"),
        std::string("GET /g HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n"),
        std::string("GET /g HTTP/1.1\r\nHost: a\r\nTransfer-Encoding\x0b: chunked\r\n\r\n"),
        std::string("GET  /g HTTP/1.1\r\nHost: a\r\n\r\n"),
        std::string("GET /g\tHTTP/1.1\r\nHost: a\r\n\r\n")}) {
    const HttpAnswer answer = answer_to(bytes);
    EXPECT_TRUE(answer.status == 400 || answer.status == 0) << answer.status << " " << bytes;
  }
  // A folded line is one value (RFC 9112, 5.2), never a header of its own.
  EXPECT_EQ(answer_to(post("Content-Length: 1\r\nX: a\r\n Content-Length: 9\r\n", "x")).body,
            "POST /p  x");
}

TEST_F(Framing, ManyPipelinedRequestsAreAllAnsweredInTurn) {
  std::string requests;
  for (int i = 0; i < 3000; ++i) requests += "GET /g HTTP/1.1\r\nHost: a\r\n\r\n";
  HttpConnection connection(server_.port());
  std::thread sender([&] { connection.send(requests); });  // more than is read ahead
  int answered = 0;
  while (answered < 3000 && connection.receive(5).status == 200) ++answered;
  sender.join();
  EXPECT_EQ(answered, 3000);
}

TEST_F(Framing, DeadlinesAreAbsolute) {
  HttpConnection head(server_.port()), body(server_.port()), idle(server_.port());
  body.send(post("Content-Length: 900\r\n", ""));
  for (int i = 0; i < 8; ++i) {  // a byte every 50 ms keeps nobody alive
    head.send("G");
    body.send("x");
    std::this_thread::sleep_for(milliseconds(50));
  }
  EXPECT_TRUE(head.closes_within(0.2));
  EXPECT_EQ(body.receive(1).status, 408);
  EXPECT_TRUE(idle.closes_within(1));
}

TEST_F(Framing, GrowingAnswers) {
  const HttpAnswer answer = answer_to("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(answer.body, "data: 1\n\ndata: 2\n\n");
  EXPECT_EQ(answer.header("Content-Type"), "text/event-stream");
  HttpConnection old(server_.port());
  old.send("GET /stream HTTP/1.0\r\n\r\n");
  EXPECT_EQ(old.receive_until("data: 2\n\n").substr(0, 12), "HTTP/1.1 200");
  EXPECT_TRUE(old.closes_within(3));
}

TEST_F(Framing, PiecesFromOtherThreadsComeAfterTheHead) {
  HttpConnection connection(server_.port());
  connection.send("GET /two-threads HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(connection.receive(1).body, "data: 1\n\n");
}

TEST_F(Framing, HeartbeatsWhileNothingElseIsSent) {
  HttpConnection connection(server_.port());
  connection.send("GET /beat HTTP/1.1\r\nHost: a\r\n\r\n");
  connection.receive_until("\r\n\r\n");
  EXPECT_NE(connection.receive_until(": beat\n\n", 2), "");
  EXPECT_NE(connection.receive_until(": beat\n\n", 2), "");
}

TEST_F(Framing, NoticesThatTheClientLeft) {
  {
    HttpConnection connection(server_.port());
    connection.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
    std::this_thread::sleep_for(milliseconds(50));
    EXPECT_FALSE(echo_.gone);
  }
  for (int i = 0; i < 100 && !echo_.gone; ++i) std::this_thread::sleep_for(milliseconds(10));
  EXPECT_TRUE(echo_.gone);
}

TEST_F(Framing, RequestsWithoutAnAnswerAreErrors) {
  EXPECT_EQ(answer_to("GET /dropped HTTP/1.1\r\nHost: a\r\n\r\n").status, 500);
  EXPECT_EQ(answer_to("GET /thrown HTTP/1.1\r\nHost: a\r\n\r\n").status, 500);
}

TEST_F(Framing, ContinuesWhenAsked) {
  HttpConnection connection(server_.port());
  connection.send(post("Content-Length: 2\r\nExpect: 100-continue\r\n", ""));
  EXPECT_EQ(connection.receive().status, 100);
  connection.send("ok");
  EXPECT_EQ(connection.receive().body, "POST /p  ok");
}

TEST_F(Framing, HeadHasNoBody) {
  HttpConnection connection(server_.port());
  connection.send("HEAD /h HTTP/1.1\r\nHost: a\r\n\r\nGET /g HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(connection.receive_until("\r\n\r\n").substr(9, 3), "200");
  EXPECT_EQ(connection.receive().body, "GET /g  ");
}

TEST_F(Framing, CountsConnectionsPerPeer) {
  std::vector<std::unique_ptr<HttpConnection>> held;
  for (int i = 0; i < 10; ++i) held.push_back(std::make_unique<HttpConnection>(server_.port()));
  HttpConnection one_more(server_.port());
  EXPECT_TRUE(one_more.closes_within(0.2));
}

}  // namespace
}  // namespace octet::http
