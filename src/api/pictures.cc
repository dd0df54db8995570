#include "api/pictures.h"

#include "base/format.h"

namespace octet::api {
namespace {

std::string file_name(const serve::JobView& view, const serve::JobPicture& picture) {
  return picture.digest + "." + format_name(view.format);
}

http::Response find_picture(const Service& service, const http::Request& request) {
  const std::string& name = request.parameters.at(0);
  const auto view =
      service.jobs.with_picture(name.substr(0, name.find('.')), owner_of_results(request));
  if (view) {
    for (const serve::JobPicture& picture : view->pictures) {
      if (picture.bytes && name == file_name(*view, picture)) {
        return picture_answer(request, *view, picture);
      }
    }
  }
  throw RequestError(404, "not_found", "no such picture, or it is no longer kept");
}

}  // namespace

std::string picture_path(const serve::JobView& view, const serve::JobPicture& picture) {
  return "/v1/pictures/" + file_name(view, picture);
}

http::Response picture_answer(const http::Request& request, const serve::JobView& view,
                              const serve::JobPicture& picture) {
  const std::string tag = '"' + picture.digest + '"';
  http::Response response{
      .content_type = std::string("image/") + format_name(view.format),
      .headers = {{"ETag", tag},
                  {"Cache-Control", "private, max-age=86400, immutable"},
                  {"Content-Disposition",
                   format("inline; filename=\"%s\"", file_name(view, picture).c_str())}}};
  if (request.header("If-None-Match").find(tag) != std::string_view::npos) {
    response.status = 304;
  } else {
    response.body.assign(reinterpret_cast<const char*>(picture.bytes->data()),
                         picture.bytes->size());
  }
  return response;
}

void add_picture_route(http::Router& router, Service& service) {
  router.add({.method = "GET",
              .pattern = "/v1/pictures/{file}",
              .summary = "A finished picture, by the SHA-256 of its file.",
              .handler =
                  [&service](const http::Request& request,
                             const std::shared_ptr<http::Exchange>& exchange) {
                    exchange->respond(find_picture(service, request));
                  },
              .response_type = "image/*"});
}

}  // namespace octet::api
