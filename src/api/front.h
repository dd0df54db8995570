// The server's application: the guard in front of all routes, and the routes of all dialects.
//
// The guard looks at heads before a body is read: Host must be an address, localhost or an allowed
// name (against DNS rebinding), Origin must be the server's own or allowed, bodies must be JSON.
// There is no CORS. Errors are worded in the dialect that the path belongs to.
// Thread-safety: admit and handle on the HTTP thread, error on any.
#pragma once

#include <string>
#include <vector>

#include "api/edits.h"
#include "api/keys.h"
#include "api/metrics.h"
#include "api/service.h"
#include "http/router.h"
#include "http/server.h"

namespace octet::api {

struct GuardOptions {
  std::string keys;                  // file of keys (keys.h); empty: none are needed
  std::vector<std::string> hosts;    // names allowed in Host, without port, lower case
  std::vector<std::string> origins;  // allowed besides the server's own, "https://example.org"
  bool tls = false;                  // the server's own origin is https, then
};

class Front final : public http::Application {
 public:
  Front(Service& service, GuardOptions guard);

  http::Admission admit(const http::Request& head) override;
  void handle(http::Request request, std::shared_ptr<http::Exchange> exchange) override;
  http::Response error(const http::Request& head, int status, const std::string& message) override;

 private:
  [[nodiscard]] http::Response refusal(const http::Request& head, const RequestError& error);
  void check_browser(const http::Request& head) const;
  [[nodiscard]] std::string owner(const http::Request& head);
  [[nodiscard]] http::Match find_for(const http::Request& head);
  [[nodiscard]] http::Match find(const http::Request& head) const;

  GuardOptions guard_;
  KeyRing keys_;
  Metrics metrics_;
  Journal& journal_;
  Decoder decoder_;
  http::Router router_;
};

/// Whether `host`, as in the header, may be asked for: an IP address or "localhost" with or
/// without port, or one of `names`.
[[nodiscard]] bool is_allowed_host(std::string_view host, const std::vector<std::string>& names);

}  // namespace octet::api
