// An application that answers what it got.
#pragma once

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

#include "http/server.h"

namespace octet::test {

class Echo final : public http::Application {
 public:
  static constexpr std::size_t kLarge = 3 << 20;  // of /large

  http::Admission admit(const http::Request& head) override {
    if (head.path == "/refused") return {.refusal = http::Response{.status = 403, .body = "no"}};
    return {.body_limit = head.method == "POST" ? 1000u : 0u};
  }
  void handle(http::Request request, std::shared_ptr<http::Exchange> exchange) override {
    if (request.path == "/dropped") return;
    if (request.path == "/thrown") throw std::runtime_error("oh");
    if (request.path == "/stream") {
      exchange->begin({.content_type = "text/event-stream"}, ": beat\n\n");
      exchange->send("data: 1\n\n");
      exchange->send("data: 2\n\n");
      exchange->end();
      return;
    }
    if (request.path == "/two-threads") {
      exchange->begin({.content_type = "text/event-stream"}, "");
      std::thread([exchange] {
        exchange->send("data: 1\n\n");
        exchange->end();
      }).join();
      return;
    }
    if (request.path == "/wait") {
      exchange->on_gone([this] { gone = true; });
      waiting = exchange;
      return;
    }
    if (request.path == "/beat") {
      exchange->begin({.content_type = "text/event-stream"}, ": beat\n\n");
      waiting = exchange;
      return;
    }
    if (request.path == "/large") {
      exchange->respond({.content_type = "text/plain", .body = std::string(kLarge, 'l')});
      return;
    }
    exchange->respond(
        {.content_type = "text/plain",
         .body = request.method + " " + request.path + " " + request.query + " " + request.body});
  }
  http::Response error(const http::Request&, int status, const std::string& message) override {
    return {.status = status, .body = message};
  }
  std::shared_ptr<http::Exchange> waiting;
  std::atomic<bool> gone{false};
};

}  // namespace octet::test
