#include "api/page.h"

#include <fstream>
#include <iterator>
#include <optional>

#include "api/fields.h"
#include "base/sha256.h"

namespace octet::api {
namespace {

constexpr const char* kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'";

struct Type {
  std::string_view suffix;
  const char* type;
};
constexpr Type kTypes[] = {{".html", "text/html; charset=utf-8"},
                           {".css", "text/css; charset=utf-8"},
                           {".js", "text/javascript; charset=utf-8"},
                           {".svg", "image/svg+xml"}};

const char* type_of(std::string_view name) {
  for (const Type& type : kTypes) {
    if (name.ends_with(type.suffix)) return type.type;
  }
  return nullptr;
}

/// A name that leads nowhere but into its folder, to a file of a page.
bool is_plain(std::string_view name) {
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz0123456789_-.";
  return !name.starts_with('.') && name.find_first_not_of(kLetters) == std::string_view::npos &&
         type_of(name);
}

/// The bytes of a file; empty optional when there is none.
std::optional<std::string> content_of(const std::string& name, const std::string& folder) {
  if (!is_plain(name)) return std::nullopt;
  if (!folder.empty()) {
    std::ifstream stream(folder + "/" + name, std::ios::binary);
    if (!stream) return std::nullopt;
    return std::string(std::istreambuf_iterator<char>(stream), {});
  }
  for (const PageFile& file : page_files()) {
    if (name == file.name) return std::string(file.begin, file.end);
  }
  return std::nullopt;
}

/// If-None-Match is "*" or a list; a weak tag of the same file will do.
bool names(std::string_view given, const std::string& tag) {
  return given == "*" || given.find(tag) != std::string_view::npos;
}

http::Response answer(const std::string& name, const std::string& folder,
                      const http::Request& request) {
  auto content = content_of(name, folder);
  if (!content) throw RequestError(404, "not_found", "the page has no such file");
  const std::string tag = '"' + sha256_hex(std::as_bytes(std::span(*content))).substr(0, 32) + '"';
  http::Response response{.content_type = type_of(name),
                          .headers = {{"ETag", tag},
                                      {"Cache-Control", "no-cache"},
                                      {"Content-Security-Policy", kPolicy},
                                      {"Cross-Origin-Opener-Policy", "same-origin"},
                                      {"X-Frame-Options", "DENY"}}};
  if (names(request.header("If-None-Match"), tag)) {
    response.status = 304;
  } else {
    response.body = *std::move(content);
  }
  return response;
}

}  // namespace

void add_page_routes(http::Router& router, const std::string& folder) {
  using Exchange = std::shared_ptr<http::Exchange>;
  router.add({.method = "GET",
              .pattern = "/",
              .summary = "The web page.",
              .handler =
                  [folder](const http::Request& request, const Exchange& exchange) {
                    exchange->respond(answer("index.html", folder, request));
                  },
              .open = true,
              .response_type = "text/html"});
  router.add({.method = "GET",
              .pattern = "/page/{file}",
              .summary = "What the web page consists of.",
              .handler =
                  [folder](const http::Request& request, const Exchange& exchange) {
                    exchange->respond(answer(request.parameters.at(0), folder, request));
                  },
              .open = true,
              .response_type = "text/javascript"});
}

}  // namespace octet::api
