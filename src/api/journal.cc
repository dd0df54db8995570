#include "api/journal.h"

#include <utility>

#include "api/trace.h"
#include "base/format.h"

namespace octet::api {
namespace {

std::int64_t number(std::uint64_t value) { return static_cast<std::int64_t>(value); }

void add_times(const serve::JobView& view, LogFields& fields) {
  const StageSeconds& s = view.done.seconds;
  fields.insert(fields.end(),
                {{"text_s", s.text},
                 {"denoise_s", s.modulation + s.denoise},
                 {"vae_s", s.init + s.decode},
                 {"encode_s", view.done.encode_seconds},
                 {"pictures", number(view.pictures.size())},
                 {"steps", std::int64_t{view.done.used.run_steps}},
                 {"size", format("%dx%d", view.done.used.width, view.done.used.height)}});
}

}  // namespace

void Journal::answered(const http::Request& request, int status, double milliseconds, bool often) {
  const LogLevel level = status >= 500            ? LogLevel::kWarning
                         : often && status != 401 ? LogLevel::kDebug
                                                  : LogLevel::kInfo;
  // A path may be anything, a pattern is one of ours.
  LogFields fields = {{"method", excerpt(request.method, 16)},
                      {"route", request.route.empty() ? "none" : request.route},
                      {"status", std::int64_t{status}},
                      {"ms", milliseconds},
                      {"owner", request.owner.empty() ? "peer " + request.peer : request.owner},
                      {"trace_id", trace_id(request.traceparent)}};
  log_.write(level, "request", fields);
}

void Journal::accepted(const serve::JobSpec& spec, const std::string& token) {
  LogFields fields = {{"job", token},
                      {"model", spec.model},
                      {"route", spec.route},
                      {"owner", spec.owner},
                      {"trace_id", trace_id(spec.traceparent)}};
  if (prompts_) {
    fields.emplace_back("prompt", spec.request.prompt);
    fields.emplace_back("negative_prompt", spec.request.negative_prompt);
  }
  log_.info("job accepted", fields);
}

void Journal::ended(const serve::JobView& view) {
  LogFields fields = {{"job", view.token},
                      {"status", serve::name_of(view.state)},
                      {"model", view.model},
                      {"route", view.route},
                      {"owner", view.owner},
                      {"attempts", std::int64_t{view.attempts}},
                      {"queue_s", view.queue_seconds},
                      {"run_s", view.run_seconds}};
  if (view.state == serve::JobState::kDone) add_times(view, fields);
  if (view.state == serve::JobState::kCancelled && view.cancel_cause) {
    fields.emplace_back("by", serve::name_of(*view.cancel_cause));
  }
  const bool failed = view.state == serve::JobState::kFailed;
  if (failed) {
    fields.emplace_back("code", code_name(view.error_code));
    fields.emplace_back("error", view.error);
  }
  fields.emplace_back("trace_id", trace_id(view.traceparent));
  log_.write(failed ? LogLevel::kWarning : LogLevel::kInfo, "job ended", fields);
}

void Journal::worker(const serve::WorkerStatus& status) {
  if (status.state == serve::WorkerState::kReady) {
    for (const serve::ModelCard& card : status.models) {
      log_.info("worker ready", {{"pid", std::int64_t{status.pid}},
                                 {"model", card.name},
                                 {"device", card.device},
                                 {"compute", card.compute},
                                 {"weight_bytes", number(card.weight_bytes)},
                                 {"load_s", card.load_seconds}});
    }
  } else if (status.state == serve::WorkerState::kRestarting && status.pid == 0) {
    log_.error("worker ended",
               {{"cause", status.last_error}, {"restarts", number(status.restarts)}});
  }
}

}  // namespace octet::api
