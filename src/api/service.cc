#include "api/service.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/format.h"
#include "base/sha256.h"

namespace octet::api {
namespace {

constexpr int kLongestRetry = 600;  // seconds

int retry_seconds(double wait) {
  return static_cast<int>(std::clamp(std::ceil(wait), 1.0, static_cast<double>(kLongestRetry)));
}

RequestError retry_error(int status, const std::string& code, const std::string& message,
                         double wait) {
  RequestError error(status, code, message);
  error.retry_after = retry_seconds(wait);
  return error;
}

/// A number of pixels at the front of `text`, which moves behind it.
std::optional<int> take_side(std::string_view& text) {
  int side = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), side);
  if (error != std::errc() || side <= 0) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return side;
}

/// Only characters that may stand in a header.
std::string header_text(const std::string& text) {
  std::string out = excerpt(text, 200);
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) > 0x7e) c = '?';
  }
  return out;
}

/// The token of the accepted job.
std::string accept(Service& service, serve::JobSpec spec, serve::JobListener listener) {
  if (!spec.deadline) spec.deadline = service.deadline;
  spec.file.provenance = service.provenance;
  serve::Submission result = service.jobs.submit(std::move(spec), std::move(listener));
  switch (result.verdict) {
    case serve::Verdict::kAccepted:
      return result.token;
    case serve::Verdict::kFull:
      throw retry_error(429, "rate_limit_exceeded", "the queue is full", result.wait);
    case serve::Verdict::kTooLate:
      throw retry_error(429, "rate_limit_exceeded",
                        format("the job would not be done before its deadline: about %.0f s until "
                               "it would begin",
                               result.wait),
                        result.wait);
    case serve::Verdict::kDraining:
      break;
  }
  throw retry_error(503, "draining", "the server is about to stop", 10);
}

}  // namespace

std::optional<std::string> owner_of_results(const http::Request& request) {
  return request.owner.starts_with("key ") ? std::optional(request.owner) : std::nullopt;
}

serve::ModelCard find_model(const Service& service, const std::optional<std::string>& name) {
  const std::string& wanted = name && !name->empty() ? *name : service.models.front();
  if (std::find(service.models.begin(), service.models.end(), wanted) == service.models.end()) {
    throw RequestError(404, "model_not_found",
                       "the model '" + excerpt(wanted) +
                           "' does not exist; GET /v1/models lists "
                           "those that do",
                       "model");
  }
  for (const serve::ModelCard& card : service.status().models) {
    if (card.name == wanted) return card;
  }
  throw retry_error(503, "overloaded", "the model is still being loaded", 5);
}

void set_size(GenerateRequest& request, const std::string& size) {
  if (size == "auto") return;
  std::string_view rest = size;
  const auto width = take_side(rest);
  const bool crossed = rest.starts_with('x');
  if (crossed) rest.remove_prefix(1);
  const auto height = crossed ? take_side(rest) : std::nullopt;
  if (!width || !height || !rest.empty()) {
    throw RequestError(400, "invalid_value",
                       "size: expected auto or WIDTHxHEIGHT, found '" + excerpt(size) + "'",
                       "size");
  }
  request.width = width;
  request.height = height;
}

void check_size(const GenerateRequest& request, const serve::ModelCard& card,
                const std::string& param) {
  for (const int side :
       {request.width.value_or(card.width), request.height.value_or(card.height)}) {
    if (side >= card.side_multiple && side <= card.longest_side && side % card.side_multiple == 0) {
      continue;
    }
    throw RequestError(
        422, "impossible_size",
        format("%s: expected sides that are multiples of %d from %d to %d, found %d", param.c_str(),
               card.side_multiple, card.side_multiple, card.longest_side, side),
        param);
  }
}

Accepted submit(Service& service, const http::Request& request, serve::JobSpec spec,
                serve::JobListener listener) {
  spec.traceparent = request.traceparent;
  const std::string_view given = request.header("Idempotency-Key");
  if (given.empty()) return {accept(service, std::move(spec), std::move(listener)), false};
  if (given.size() > 255) {
    throw RequestError(400, "invalid_value", "Idempotency-Key: expected at most 255 bytes");
  }
  const std::lock_guard lock(service.repeatable_mutex);
  std::erase_if(service.repeatable,
                [&](const auto& entry) { return !service.jobs.find(entry.second.token); });
  const std::string key = request.owner + "\n" + request.path + "\n" + std::string(given);
  const std::string digest = sha256_hex(std::as_bytes(std::span(request.body)));
  const auto place = service.repeatable.find(key);
  if (place == service.repeatable.end()) {
    spec.keep = true;
    const std::string token = accept(service, std::move(spec), std::move(listener));
    service.repeatable[key] = {digest, token};
    return {token, true};
  }
  if (place->second.digest != digest) {
    throw RequestError(409, "idempotency_key_reused",
                       "Idempotency-Key: expected the body that it first came with");
  }
  service.jobs.watch(place->second.token, std::move(listener));
  return {place->second.token, true};
}

RequestError error_of(const serve::JobView& view) {
  if (view.state == serve::JobState::kCancelled) {
    const auto cause = view.cancel_cause.value_or(serve::CancelCause::kClient);
    if (cause == serve::CancelCause::kDeadline) {
      return {504, "deadline_exceeded", "the job was not done before its deadline"};
    }
    if (cause == serve::CancelCause::kDrain) {
      return retry_error(503, "draining", "the server is about to stop", 10);
    }
    return {409, "cancelled", "the job was cancelled"};
  }
  if (view.impossible) return {422, "impossible_memory", view.error};
  switch (view.error_code) {
    case Code::kInvalidArgument:
      return {400, "invalid_value", view.error};
    case Code::kUnsupported:
      return {422, "unsupported", view.error};
    case Code::kOutOfMemory:
      return retry_error(503, "out_of_memory", view.error, 10);
    default:
      return {500, "server_error", view.error};
  }
}

serve::Priority priority_of(const std::string& name) {
  if (name == "high") return serve::Priority::kHigh;
  return name == "low" ? serve::Priority::kLow : serve::Priority::kNormal;
}

ImageFormat format_of(const std::string& name) {
  if (name == "jpeg") return ImageFormat::kJpeg;
  return name == "webp" ? ImageFormat::kWebp : ImageFormat::kPng;
}

http::Headers headers_of(const serve::JobView& view) {
  const StageSeconds& s = view.done.seconds;
  http::Headers headers = {
      {"Server-Timing",
       format("queue;dur=%.1f, text;dur=%.1f, denoise;dur=%.1f, vae;dur=%.1f, encode;dur=%.1f",
              view.queue_seconds * 1e3, s.text * 1e3, (s.modulation + s.denoise) * 1e3,
              s.decode * 1e3, view.done.encode_seconds * 1e3)}};
  for (const std::string& warning : view.done.warnings) {
    headers.push_back({"X-Octet-Warning", header_text(warning)});
  }
  return headers;
}

}  // namespace octet::api
