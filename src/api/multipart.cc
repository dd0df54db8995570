#include "api/multipart.h"

#include <algorithm>
#include <optional>

#include "http/message.h"

namespace octet::api {
namespace {

constexpr std::size_t kMaxParts = 64;
constexpr std::size_t kMaxHead = 4096;
constexpr std::size_t kMaxBoundary = 70;  // RFC 2046

[[noreturn]] void refuse(const char* what) {
  throw RequestError(400, "invalid_multipart", std::string("body: expected ") + what);
}

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
  while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
  return text;
}

/// The value of `name` among the parameters behind a header's first semicolon, without its quotes.
std::optional<std::string> parameter(std::string_view header, std::string_view name) {
  for (std::size_t at = header.find(';'); at < header.size(); at = header.find(';', at + 1)) {
    const std::string_view rest = trimmed(header.substr(at + 1));
    const std::size_t equals = rest.find('=');
    if (equals == std::string_view::npos ||
        !http::equal_without_case(rest.substr(0, equals), name)) {
      continue;
    }
    const std::string_view value = rest.substr(equals + 1);
    if (!value.starts_with('"')) return std::string(trimmed(value.substr(0, value.find(';'))));
    const std::size_t end = value.find('"', 1);
    if (end == std::string_view::npos) return std::nullopt;
    return std::string(value.substr(1, end - 1));
  }
  return std::nullopt;
}

std::string name_of(std::string_view head) {
  while (!head.empty()) {
    const std::size_t end = std::min(head.find("\r\n"), head.size());
    const std::string_view line = head.substr(0, end);
    const std::size_t colon = std::min(line.find(':'), line.size());
    if (http::equal_without_case(line.substr(0, colon), "Content-Disposition")) {
      if (const auto name = parameter(line, "name")) return *name;
    }
    head.remove_prefix(std::min(end + 2, head.size()));
  }
  refuse("parts with a name");
}

}  // namespace

std::vector<Part> split_multipart(std::string_view body, std::string_view content_type) {
  const std::string boundary = parameter(content_type, "boundary").value_or("");
  if (boundary.empty() || boundary.size() > kMaxBoundary) refuse("a boundary");
  const std::string mark = "\r\n--" + boundary;
  if (!body.starts_with(std::string_view(mark).substr(2))) refuse("the boundary at its start");
  body.remove_prefix(mark.size() - 2);
  std::vector<Part> parts;
  while (!body.starts_with("--")) {
    if (!body.starts_with("\r\n") || parts.size() == kMaxParts) refuse("at most 64 whole parts");
    body.remove_prefix(2);
    const std::size_t head = body.substr(0, kMaxHead).find("\r\n\r\n");
    if (head == std::string_view::npos) refuse("parts with heads of at most 4096 bytes");
    const std::size_t end = body.find(mark, head + 2);
    if (end == std::string_view::npos) refuse("the boundary at its end");
    const std::size_t data = std::min(head + 4, end);
    parts.push_back({name_of(body.substr(0, head)), body.substr(data, end - data)});
    body.remove_prefix(end + mark.size());
  }
  return parts;
}

}  // namespace octet::api
