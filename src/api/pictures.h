// Finished pictures by what they are: /v1/pictures/DIGEST.png, the SHA-256 of the file. Such a name
// always means the same bytes, so clients may keep them; it leads to no path. With keys only who
// made a picture gets it, and only while its job is kept.
//
// Thread-safety: pure functions. Errors: RequestError 404.
#pragma once

#include <string>

#include "api/service.h"

namespace octet::api {

/// "/v1/pictures/DIGEST.png".
[[nodiscard]] std::string picture_path(const serve::JobView& view,
                                       const serve::JobPicture& picture);
/// The file, or 304 for a client that has it.
[[nodiscard]] http::Response picture_answer(const http::Request& request,
                                            const serve::JobView& view,
                                            const serve::JobPicture& picture);
/// `service` must outlive the router.
void add_picture_route(http::Router& router, Service& service);

}  // namespace octet::api
