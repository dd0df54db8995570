#include "api/description.h"

#include <nlohmann/json.hpp>

#include "base/version.h"

namespace octet::api {
namespace {

using Json = nlohmann::ordered_json;

std::string lower(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return text;
}

/// "/v1/jobs/{id}" has the parameter "id".
Json parameters_of(const std::string& pattern) {
  Json list = Json::array();
  for (std::size_t begin = pattern.find('{'); begin != std::string::npos;
       begin = pattern.find('{', begin + 1)) {
    const std::string name = pattern.substr(begin + 1, pattern.find('}', begin) - begin - 1);
    list.push_back(
        {{"name", name}, {"in", "path"}, {"required", true}, {"schema", {{"type", "string"}}}});
  }
  return list;
}

Json operation_of(const http::Route& route) {
  Json operation = {{"summary", route.summary}};
  const Json parameters = parameters_of(route.pattern);
  if (!parameters.empty()) operation["parameters"] = parameters;
  if (!route.request_schema.empty()) {
    operation["requestBody"] = {{"required", true},
                                {"content",
                                 {{route.multipart ? "multipart/form-data" : "application/json",
                                   {{"schema", Json::parse(route.request_schema)}}}}}};
  }
  operation["responses"] = {
      {"2XX",
       {{"description", "Done or begun."}, {"content", {{route.response_type, Json::object()}}}}},
      {"default",
       {{"description", "Refused; the body says why."},
        {"content", {{"application/json", Json::object()}}}}}};
  return operation;
}

}  // namespace

std::string describe_routes(const http::Router& router) {
  Json paths = Json::object();
  for (const http::Route& route : router.routes()) {
    paths[route.pattern][lower(route.method)] = operation_of(route);
  }
  return Json{{"openapi", "3.1.0"},
              {"info", {{"title", "Octet"}, {"version", engine_version()}}},
              {"paths", paths}}
      .dump(1);
}

void add_description_route(http::Router& router) {
  router.add(
      {.method = "GET",
       .pattern = "/openapi.json",
       .summary = "This description.",
       .handler = [&router](const http::Request&, const std::shared_ptr<http::Exchange>& exchange) {
         exchange->respond({.body = describe_routes(router)});
       }});
}

}  // namespace octet::api
