#include "http/router.h"

#include <optional>
#include <string_view>
#include <utility>

namespace octet::http {
namespace {

std::vector<std::string_view> segments(std::string_view path) {
  std::vector<std::string_view> parts;
  while (!path.empty()) {
    path.remove_prefix(1);  // the slash
    const std::size_t end = std::min(path.find('/'), path.size());
    parts.push_back(path.substr(0, end));
    path.remove_prefix(end);
  }
  return parts;
}

/// The values of the placeholders, or nothing when the path is another one.
std::optional<std::vector<std::string>> match(std::string_view pattern, std::string_view path) {
  const auto wanted = segments(pattern);
  const auto found = segments(path);
  if (wanted.size() != found.size()) return std::nullopt;
  std::vector<std::string> values;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i].starts_with('{')) {
      if (found[i].empty()) return std::nullopt;
      values.emplace_back(found[i]);
    } else if (wanted[i] != found[i]) {
      return std::nullopt;
    }
  }
  return values;
}

}  // namespace

void Router::add(Route route) { routes_.push_back(std::move(route)); }

Match Router::find(const std::string& method, const std::string& path) const {
  Match result;
  for (const Route& route : routes_) {
    auto parameters = match(route.pattern, path);
    if (!parameters) continue;
    // HEAD is GET whose body is not sent.
    if (route.method == method || (route.method == "GET" && method == "HEAD")) {
      result.route = &route;
      result.parameters = std::move(*parameters);
      return result;
    }
    result.allowed += (result.allowed.empty() ? "" : ", ") + route.method;
  }
  return result;
}

}  // namespace octet::http
