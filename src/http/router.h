// Which handler answers a path: the table of all routes.
//
// A pattern is a path whose segments may be placeholders, "/v1/jobs/{id}"; a placeholder takes one
// segment that is not empty. Thread-safety: constant after the last add().
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "http/server.h"

namespace octet::http {

using Handler = std::function<void(const Request&, const std::shared_ptr<Exchange>&)>;

struct Route {
  std::string method;   // "GET", "POST", "DELETE"
  std::string pattern;  // "/v1/jobs/{id}"
  std::string summary;  // one line for the API description
  Handler handler;
  std::size_t body_limit = 0;       // bytes; 0: no body
  bool open = false;                // answered without a key
  bool multipart = false;           // the body is a form, not JSON
  std::string request_schema = {};  // JSON schema of the body, empty: none
  std::string response_type = "application/json";
};

struct Match {
  const Route* route = nullptr;
  std::vector<std::string> parameters;
  std::string allowed;  // methods of the path when only the method does not fit
};

class Router {
 public:
  void add(Route route);
  [[nodiscard]] std::span<const Route> routes() const { return routes_; }
  [[nodiscard]] Match find(const std::string& method, const std::string& path) const;

 private:
  std::vector<Route> routes_;
};

}  // namespace octet::http
