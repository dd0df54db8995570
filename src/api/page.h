// The web page at "/": plain HTML, CSS and JavaScript of src/api/page, inside the program.
//
// The page is one more client of /v1: it has no routes of its own but those of its files, and needs
// no key to be read. Its Content-Security-Policy allows this server alone, no inline script and no
// inline style, so a prompt can never become one. Answers carry an ETag; browsers ask again each
// time and are mostly answered 304. Thread-safety: constant. Errors: RequestError 404.
#pragma once

#include <span>
#include <string>

#include "http/router.h"

namespace octet::api {

struct PageFile {
  const char* name;  // "index.html"
  const unsigned char* begin;
  const unsigned char* end;
};

/// The files in the program; the table is generated from CMakeLists.txt (cmake/embed.cmake).
[[nodiscard]] std::span<const PageFile> page_files();

/// "/" and "/page/{file}". `folder` holds files to be read anew for every request instead of those
/// in the program, for who works on the page: names of small letters, digits and "_-." that end as
/// a page's files do.
void add_page_routes(http::Router& router, const std::string& folder);

}  // namespace octet::api
