// Requests and answers of the HTTP server, free of any HTTP library.
//
// Header names compare without case. Thread-safety: plain values.
// Errors: none; a value that cannot stand in a header is left out by serialize_head.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace octet::http {

struct Header {
  std::string name;
  std::string value;
};
using Headers = std::vector<Header>;

/// The value of the first header of that name; empty optional when there is none.
[[nodiscard]] std::optional<std::string_view> find_header(const Headers& headers,
                                                          std::string_view name);
[[nodiscard]] bool equal_without_case(std::string_view a, std::string_view b);

struct Request {
  std::string method;  // "GET"
  std::string path;    // percent-decoded, begins with a slash
  std::string query;   // behind the question mark, as sent
  Headers headers;
  std::string body;
  std::string peer;                          // address without port
  bool tls = false;                          // came by TLS
  std::string owner = {};                    // on whose behalf, as the application found out
  std::string route = {};                    // pattern of the route that answers it
  std::string traceparent = {};              // this server's part of a trace (W3C Trace Context)
  std::vector<std::string> parameters = {};  // values of the route's {placeholders}, in order

  [[nodiscard]] std::string_view header(std::string_view name) const {
    return find_header(headers, name).value_or(std::string_view());
  }
};

struct Response {
  int status = 200;
  std::string content_type = "application/json";
  std::string body = {};
  Headers headers = {};  // besides type, length and those that every answer has
};

/// Reason phrase; "Unknown" for a status without.
[[nodiscard]] const char* reason_of(int status);

/// How the body follows the head.
enum class Framing { kLength, kChunked, kUntilClose };

/// Status line and headers with the empty line behind them.
[[nodiscard]] std::string serialize_head(const Response& response, Framing framing,
                                         bool keep_alive);

/// Percent-decodes a path; empty optional for a broken escape, a NUL or a control character.
[[nodiscard]] std::optional<std::string> decode_path(std::string_view path);

/// The value of `name` in a query, decoded; empty optional when it is not there.
[[nodiscard]] std::optional<std::string> query_value(std::string_view query, std::string_view name);

}  // namespace octet::http
