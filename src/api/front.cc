#include "api/front.h"

#include <arpa/inet.h>

#include <algorithm>
#include <utility>

#include "api/a1111.h"
#include "api/description.h"
#include "api/health.h"
#include "api/jobs_api.h"
#include "api/openai.h"
#include "api/page.h"
#include "api/pictures.h"
#include "api/trace.h"
#include "base/format.h"
#include "base/stopwatch.h"

namespace octet::api {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

bool is_address(const std::string& host) {
  in6_addr buffer{};
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    return ::inet_pton(AF_INET6, host.substr(1, host.size() - 2).c_str(), &buffer) == 1;
  }
  return ::inet_pton(AF_INET, host.c_str(), &buffer) == 1;
}

/// A host without its port; the port must be a number.
std::optional<std::string> without_port(std::string_view host) {
  const std::size_t colon = host.rfind(':');
  if (colon == std::string_view::npos || host.ends_with(']')) return lower(host);
  const std::string_view port = host.substr(colon + 1);
  if (port.size() > 5 || port.find_first_not_of("0123456789") != std::string_view::npos) {
    return std::nullopt;
  }
  return lower(host.substr(0, colon));
}

/// The part of an origin that Host repeats: "http://a.example:80" is "a.example:80". Without TLS
/// here there may be some in front, with TLS a page that came without is not this server's.
std::string_view authority_of(std::string_view origin, bool tls) {
  for (const std::string_view scheme : {"https://", "http://"}) {
    if (origin.starts_with(scheme)) return origin.substr(scheme.size());
    if (tls) break;
  }
  return {};
}

/// "application/json; charset=utf-8" is application/json.
bool is_type(std::string_view type, std::string_view wanted) {
  std::string_view name = type.substr(0, type.find(';'));
  while (name.ends_with(' ')) name.remove_suffix(1);
  return http::equal_without_case(name, wanted);
}

const char* code_of(int status) {
  switch (status) {
    case 403:
      return "forbidden";
    case 404:
      return "not_found";
    case 405:
      return "method_not_allowed";
    case 408:
      return "request_timeout";
    case 413:
      return "request_too_large";
    case 415:
      return "unsupported_media_type";
    case 500:
      return "server_error";
    default:
      return "invalid_request";
  }
}

/// In the dialect that the path belongs to.
http::Response worded(const http::Request& head, const RequestError& error) {
  return is_a1111(head.path) ? a1111_error(error) : openai_error(error);
}

/// The trace that an answer belongs to.
void add_trace(http::Response& response, const http::Request& request) {
  response.headers.push_back({"traceparent", request.traceparent});
}

/// Passes everything on; counts and says how the request was answered.
class CountedExchange final : public http::Exchange {
 public:
  CountedExchange(std::shared_ptr<http::Exchange> exchange, const http::Request& request,
                  bool often, Metrics& metrics, Journal& journal)
      : exchange_(std::move(exchange)), often_(often), metrics_(metrics), journal_(journal) {
    request_ = {.method = request.method,
                .peer = request.peer,
                .owner = request.owner,
                .route = request.route,
                .traceparent = request.traceparent};
  }

  void respond(http::Response response) override {
    answered(response);
    exchange_->respond(std::move(response));
  }
  void begin(http::Response head, std::string heartbeat) override {
    answered(head);
    exchange_->begin(std::move(head), std::move(heartbeat));
  }
  void send(std::string bytes) override { exchange_->send(std::move(bytes)); }
  void end() override { exchange_->end(); }
  void on_gone(std::function<void()> callback) override { exchange_->on_gone(std::move(callback)); }

 private:
  void answered(http::Response& response) {
    metrics_.count("sd_requests_total",
                   {{"route", request_.route}, {"code", std::to_string(response.status)}});
    journal_.answered(request_, response.status, watch_.seconds() * 1e3, often_);
    add_trace(response, request_);
  }

  std::shared_ptr<http::Exchange> exchange_;
  http::Request request_;  // what is said of it
  const bool often_;
  Metrics& metrics_;
  Journal& journal_;
  Stopwatch watch_;
};

}  // namespace

bool is_allowed_host(std::string_view host, const std::vector<std::string>& names) {
  const auto name = without_port(host);
  if (!name || name->empty()) return false;
  return *name == "localhost" || is_address(*name) ||
         std::find(names.begin(), names.end(), *name) != names.end();
}

Front::Front(Service& service, GuardOptions guard)
    : guard_(std::move(guard)), keys_(guard_.keys), journal_(service.journal) {
  for (std::string& name : guard_.hosts) name = lower(name);
  add_health_routes(router_, service);
  add_openai_routes(router_, service);
  add_edit_routes(router_, service, decoder_);
  add_job_routes(router_, service);
  add_picture_route(router_, service);
  add_a1111_routes(router_, service, decoder_);
  add_metrics_route(router_, service, metrics_);
  service.jobs.on_accept([this](const serve::JobSpec& spec, const std::string& token) {
    journal_.accepted(spec, token);
  });
  service.jobs.on_step([this, &service](const serve::StepMessage& step) {
    for (const serve::ModelCard& card : service.status().models) {
      if (card.name == step.model) metrics_.stepped(step, card.compute);
    }
  });
  service.jobs.on_end([this](const serve::JobView& view) {
    metrics_.job_ended(view);
    journal_.ended(view);
  });
  add_page_routes(router_, service.page);
  add_description_route(router_);
}

http::Response Front::error(const http::Request& head, int status, const std::string& message) {
  return refusal(head, RequestError(status, code_of(status), message));
}

/// The answer to a request that reaches no route.
http::Response Front::refusal(const http::Request& head, const RequestError& error) {
  metrics_.count("sd_requests_total",
                 {{"route", "refused"}, {"code", std::to_string(error.status())}});
  http::Request said{.method = head.method, .peer = head.peer};
  said.traceparent = continue_trace(head.header("traceparent"));
  journal_.answered(said, error.status(), 0, false);
  http::Response response = worded(head, error);
  add_trace(response, said);
  return response;
}

void Front::check_browser(const http::Request& head) const {
  const std::string_view host = head.header("Host");
  // HTTP/1.0 may come without; a browser never does.
  if (!host.empty() && !is_allowed_host(host, guard_.hosts)) {
    throw RequestError(403, "forbidden_host",
                       "Host: expected an address or a name given by --allowed-host, found '" +
                           excerpt(std::string(host)) + "'");
  }
  const auto origin = http::find_header(head.headers, "Origin");
  if (!origin) return;
  const auto& allowed = guard_.origins;
  const bool own =
      !host.empty() && http::equal_without_case(authority_of(*origin, guard_.tls), host);
  if (!own && std::find(allowed.begin(), allowed.end(), *origin) == allowed.end()) {
    throw RequestError(
        403, "forbidden_origin",
        "Origin: expected this server's own, found '" + excerpt(std::string(*origin)) + "'");
  }
}

/// The owner of the request's key. RequestError 401 where one is needed and not given.
std::string Front::owner(const http::Request& head) {
  const std::string_view given = head.header("Authorization");  // Open WebUI sends an empty one
  if (!keys_.needed()) return "peer " + head.peer;
  const auto secret = secret_of(given);
  const auto name = secret ? keys_.match(*secret) : std::nullopt;
  if (!name) {
    throw RequestError(401, "invalid_api_key",
                       given.empty() ? "no API key was given: Authorization: Bearer KEY"
                                     : "the API key is not one of this server's");
  }
  return "key " + *name;
}

http::Match Front::find(const http::Request& head) const {
  http::Match match = router_.find(head.method, head.path);
  if (match.route) return match;
  if (!match.allowed.empty()) {
    throw RequestError(405, "method_not_allowed",
                       "method: expected " + match.allowed + ", found " + excerpt(head.method));
  }
  throw RequestError(404, "not_found", "no such route: " + excerpt(head.path));
}

/// The route, for those who may know of it.
http::Match Front::find_for(const http::Request& head) {
  http::Match open = router_.find(head.method, head.path);
  if (!open.route || !open.route->open) (void)owner(head);
  return find(head);
}

http::Admission Front::admit(const http::Request& head) {
  try {
    check_browser(head);
    const http::Match match = find_for(head);
    // /interrupt comes without a body, and then without its type.
    const bool bodiless =
        is_a1111(head.path) &&
        head.header("Content-Length").find_first_not_of('0') == std::string_view::npos &&
        head.header("Transfer-Encoding").empty();
    const char* wanted = match.route->multipart ? "multipart/form-data" : "application/json";
    if (head.method == "POST" && !bodiless && !is_type(head.header("Content-Type"), wanted)) {
      throw RequestError(415, "unsupported_media_type",
                         format("Content-Type: expected %s, found '%s'", wanted,
                                excerpt(std::string(head.header("Content-Type"))).c_str()));
    }
    return {.body_limit = match.route->body_limit};
  } catch (const RequestError& error) {
    http::Response answer = refusal(head, error);
    if (error.status() == 401) answer.headers.push_back({"WWW-Authenticate", "Bearer"});
    if (error.status() == 405) {
      answer.headers.push_back({"Allow", router_.find(head.method, head.path).allowed});
    }
    return {.refusal = std::move(answer)};
  }
}

void Front::handle(http::Request request, std::shared_ptr<http::Exchange> exchange) {
  request.traceparent = continue_trace(request.header("traceparent"));
  try {
    http::Match match = find_for(request);
    request.owner = match.route->open ? "" : owner(request);
    request.parameters = std::move(match.parameters);
    request.route = match.route->pattern;
    const bool often = match.route->open || request.method == "GET";
    exchange = std::make_shared<CountedExchange>(exchange, request, often, metrics_, journal_);
    match.route->handler(request, exchange);
  } catch (const RequestError& error) {
    if (error.retry_after) metrics_.count("sd_queue_rejected_total", {{"reason", error.name()}});
    exchange->respond(worded(request, error));
  }
}

}  // namespace octet::api
