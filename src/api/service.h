// What every dialect needs of the server: its jobs, its models, and how a request becomes a job.
//
// Thread-safety: handlers run on the HTTP thread, listeners of jobs on any.
// Errors: RequestError for what is refused.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "api/fields.h"
#include "api/journal.h"
#include "http/router.h"
#include "serve/jobs.h"
#include "serve/supervisor.h"

namespace octet::api {

/// What a request with an Idempotency-Key began.
struct Repeatable {
  std::string digest;  // SHA-256 of its body
  std::string token;   // of its job
};

struct Service {
  serve::Jobs& jobs;
  std::function<serve::WorkerStatus()> status;
  Journal& journal;
  std::vector<std::string> models;  // names, the default first
  std::int64_t started = 0;         // Unix time
  std::optional<double> deadline;   // seconds, of jobs that ask for none
  bool provenance = true;           // whether pictures say where they come from
  std::function<std::vector<std::string>()> failing = {};  // ids of doctor's checks that fail now
  std::string page = {};  // folder of the web page; empty: the one in the program
  std::unordered_map<std::string, Repeatable> repeatable = {};
  std::mutex repeatable_mutex = {};
};

/// Whose results a request may have: those of its own key; without keys, whoever knows their names.
[[nodiscard]] std::optional<std::string> owner_of_results(const http::Request& request);

/// The card of a served model; nullptr name: the default. RequestError 404 for an unknown one, 503
/// while no worker has ever been ready.
[[nodiscard]] serve::ModelCard find_model(const Service& service,
                                          const std::optional<std::string>& name);

/// "WIDTHxHEIGHT" or "auto"; the model's own size for the latter. RequestError 400 for other texts.
void set_size(GenerateRequest& request, const std::string& size);

/// Refuses sides that the model cannot draw: RequestError 422 with the limit.
void check_size(const GenerateRequest& request, const serve::ModelCard& card,
                const std::string& param);

struct Accepted {
  std::string token;
  bool repeatable = false;  // came with an Idempotency-Key
};

/// Hands a job over; one with an Idempotency-Key that is known joins the job that it began.
/// RequestError 429 with Retry-After, 503 while draining, 409 for a key with another body.
Accepted submit(Service& service, const http::Request& request, serve::JobSpec spec,
                serve::JobListener listener);

/// Why a job that is over has no pictures, as the refusal of its request.
[[nodiscard]] RequestError error_of(const serve::JobView& view);

[[nodiscard]] serve::Priority priority_of(const std::string& name);  // "high", "normal", "low"
[[nodiscard]] ImageFormat format_of(const std::string& name);        // "png", "jpeg", "webp"

/// Server-Timing and warnings of a finished job.
[[nodiscard]] http::Headers headers_of(const serve::JobView& view);

}  // namespace octet::api
