#include "http/message.h"

#include <algorithm>
#include <utility>

namespace octet::http {
namespace {

constexpr std::pair<int, const char*> kReasons[] = {
    {200, "OK"},
    {202, "Accepted"},
    {204, "No Content"},
    {304, "Not Modified"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {507, "Insufficient Storage"},
};

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char l = lower(c);
  return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

/// The text without escapes; `plus` turns + into a space, as forms write it.
std::optional<std::string> unescape(std::string_view text, bool plus) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '+' && plus) c = ' ';
    if (c == '%') {
      const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
      if (high < 0 || low < 0) return std::nullopt;
      c = static_cast<char>(high * 16 + low);
      i += 2;
    }
    if (is_control(c)) return std::nullopt;
    out += c;
  }
  return out;
}

void append_header(std::string& head, std::string_view name, std::string_view value) {
  // A line break in a value would start a header of its own.
  if (std::any_of(value.begin(), value.end(), is_control)) return;
  head.append(name).append(": ").append(value).append("\r\n");
}

}  // namespace

bool equal_without_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

std::optional<std::string_view> find_header(const Headers& headers, std::string_view name) {
  for (const Header& header : headers) {
    if (equal_without_case(header.name, name)) return header.value;
  }
  return std::nullopt;
}

const char* reason_of(int status) {
  for (const auto& [code, reason] : kReasons) {
    if (code == status) return reason;
  }
  return "Unknown";
}

std::string serialize_head(const Response& response, Framing framing, bool keep_alive) {
  std::string head =
      "HTTP/1.1 " + std::to_string(response.status) + " " + reason_of(response.status) + "\r\n";
  const bool bodiless = response.status == 304;  // RFC 9110, 15.4.5: the client has it
  if (!bodiless) append_header(head, "Content-Type", response.content_type);
  append_header(head, "X-Content-Type-Options", "nosniff");
  append_header(head, "Cross-Origin-Resource-Policy", "same-origin");
  append_header(head, "Referrer-Policy", "no-referrer");
  if (!find_header(response.headers, "Cache-Control")) {
    append_header(head, "Cache-Control", "no-store");
  }
  if (!find_header(response.headers, "Content-Security-Policy")) {
    append_header(head, "Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'");
  }
  for (const Header& header : response.headers) append_header(head, header.name, header.value);
  if (framing == Framing::kLength && !bodiless) {
    append_header(head, "Content-Length", std::to_string(response.body.size()));
  } else if (framing == Framing::kChunked) {
    append_header(head, "Transfer-Encoding", "chunked");
  }
  append_header(head, "Connection", keep_alive ? "keep-alive" : "close");
  return head + "\r\n";
}

std::optional<std::string> decode_path(std::string_view path) { return unescape(path, false); }

std::optional<std::string> query_value(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    const std::size_t equals = std::min(pair.find('='), pair.size());
    if (pair.substr(0, equals) == name) {
      return unescape(pair.substr(std::min(equals + 1, pair.size())), true);
    }
    query.remove_prefix(std::min(end + 1, query.size()));
  }
  return std::nullopt;
}

}  // namespace octet::http
