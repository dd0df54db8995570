#include "api/metrics.h"

#include <array>

#include "base/format.h"
#include "base/version.h"

namespace octet::api {
namespace {

constexpr std::array kBounds = {0.005, 0.01, 0.025, 0.05, 0.1,  0.25, 0.5,
                                1.0,   2.5,  5.0,   10.0, 30.0, 60.0, 120.0};

struct Description {
  const char* name;
  const char* help;
};

constexpr Description kDescriptions[] = {
    {"sd_requests_total", "Answers by route and status."},
    {"sd_request_seconds", "Time that pictures took, by route and phase."},
    {"sd_queue_depth", "Jobs that wait, by class."},
    {"sd_queue_rejected_total", "Requests that were not accepted, by reason."},
    {"sd_images_total", "Pictures drawn."},
    {"sd_cancelled_total", "Jobs that ended before they were done, by who asked."},
    {"sd_failed_total", "Jobs that failed, by category of the error."},
    {"sd_oom_total", "Jobs that failed for want of memory."},
    {"sd_jobs_running", "Jobs in the worker."},
    {"sd_jobs_accepted_total", "Jobs that were accepted; each of them ends once."},
    {"sd_jobs_ended_total", "Jobs that ended, by how."},
    {"sd_worker_restarts_total", "Workers that ended and were started again."},
    {"sd_worker_ready", "Whether the worker can draw."},
    {"sd_model_loaded", "Models that are served."},
    {"sd_build_info", "This program."},
};

const char* help_of(const std::string& name) {
  for (const Description& d : kDescriptions) {
    if (name == d.name) return d.help;
  }
  return "";
}

std::string escaped(const std::string& value) {
  std::string text;
  for (const char c : value) {
    if (c == '\n') {
      text += "\\n";
      continue;
    }
    if (c == '\\' || c == '"') text += '\\';
    text += c;
  }
  return text;
}

/// {a="b",c="d"}, or nothing.
std::string text_of(const Labels& labels) {
  std::string text;
  for (const auto& [name, value] : labels) {
    text += format("%s%s=\"%s\"", text.empty() ? "{" : ",", name.c_str(), escaped(value).c_str());
  }
  return text.empty() ? text : text + "}";
}

std::string with_bound(const std::string& labels, const std::string& bound) {
  const std::string le = "le=\"" + bound + "\"}";
  return labels.empty() ? "{" + le : labels.substr(0, labels.size() - 1) + "," + le;
}

std::string head(const std::string& name, const char* type) {
  return format("# HELP %s %s\n# TYPE %s %s\n", name.c_str(), help_of(name), name.c_str(), type);
}

void add_gauge(std::string& text, const std::string& name,
               const std::map<std::string, double>& of) {
  text += head(name, "gauge");
  for (const auto& [labels, value] : of) text += name + labels + format(" %.10g\n", value);
}

std::string gauges(const Service& service) {
  const serve::WorkerStatus status = service.status();
  const auto queued = service.jobs.queued();
  std::string text;
  add_gauge(text, "sd_queue_depth",
            {{text_of({{"class", "high"}}), static_cast<double>(queued[0])},
             {text_of({{"class", "normal"}}), static_cast<double>(queued[1])},
             {text_of({{"class", "low"}}), static_cast<double>(queued[2])}});
  add_gauge(text, "sd_jobs_running", {{"", static_cast<double>(service.jobs.running())}});
  add_gauge(text, "sd_worker_ready",
            {{"", status.state == serve::WorkerState::kReady ? 1.0 : 0.0}});
  std::map<std::string, double> models;
  for (const serve::ModelCard& card : status.models) {
    models[text_of({{"model", card.name}, {"variant", card.variant}, {"digest", card.digest}})] = 1;
  }
  add_gauge(text, "sd_model_loaded", models);
  add_gauge(text, "sd_build_info", {{text_of({{"version", engine_version()}}), 1}});
  text += head("sd_jobs_accepted_total", "counter");
  text += format("sd_jobs_accepted_total %llu\n",
                 static_cast<unsigned long long>(service.jobs.accepted()));
  text += head("sd_worker_restarts_total", "counter");
  text +=
      format("sd_worker_restarts_total %llu\n", static_cast<unsigned long long>(status.restarts));
  return text;
}

}  // namespace

void Metrics::count(const std::string& name, const Labels& labels, double by) {
  const std::lock_guard lock(mutex_);
  counters_[name][text_of(labels)] += by;
}

void Metrics::observe(const std::string& name, const Labels& labels, double seconds) {
  const std::lock_guard lock(mutex_);
  Histogram& histogram = histograms_[name][text_of(labels)];
  histogram.buckets.resize(kBounds.size());
  for (std::size_t i = 0; i < kBounds.size(); ++i) {
    if (seconds <= kBounds[i]) ++histogram.buckets[i];
  }
  ++histogram.count;
  histogram.sum += seconds;
}

void Metrics::job_ended(const serve::JobView& view) {
  count("sd_jobs_ended_total", {{"state", serve::name_of(view.state)}});
  if (view.state == serve::JobState::kCancelled && view.cancel_cause) {
    count("sd_cancelled_total", {{"by", serve::name_of(*view.cancel_cause)}});
  }
  if (view.state == serve::JobState::kFailed) {
    count("sd_failed_total", {{"code", code_name(view.error_code)}});
    if (view.error_code == Code::kOutOfMemory) count("sd_oom_total", {});
  }
  if (view.state != serve::JobState::kDone) return;
  count("sd_images_total", {{"model", view.model}}, static_cast<double>(view.pictures.size()));
  const StageSeconds& s = view.done.seconds;
  const std::pair<const char*, double> phases[] = {{"queue", view.queue_seconds},
                                                   {"text", s.text},
                                                   {"denoise", s.modulation + s.denoise},
                                                   {"vae", s.init + s.decode},
                                                   {"encode", view.done.encode_seconds}};
  for (const auto& [phase, seconds] : phases) {
    observe("sd_request_seconds", {{"route", view.route}, {"phase", phase}}, seconds);
  }
}

std::string Metrics::scrape(const Service& service) const {
  std::string text = gauges(service);
  const std::lock_guard lock(mutex_);
  for (const auto& [name, series] : counters_) {
    text += head(name, "counter");
    for (const auto& [labels, value] : series) text += name + labels + format(" %.10g\n", value);
  }
  for (const auto& [name, series] : histograms_) {
    text += head(name, "histogram");
    for (const auto& [labels, h] : series) {
      const auto total = static_cast<unsigned long long>(h.count);
      for (std::size_t i = 0; i < kBounds.size(); ++i) {
        text += name + "_bucket" + with_bound(labels, format("%g", kBounds[i])) +
                format(" %llu\n", static_cast<unsigned long long>(h.buckets[i]));
      }
      text += name + "_bucket" + with_bound(labels, "+Inf") + format(" %llu\n", total);
      text += name + "_sum" + labels + format(" %.10g\n", h.sum);
      text += name + "_count" + labels + format(" %llu\n", total);
    }
  }
  return text;
}

void add_metrics_route(http::Router& router, Service& service, Metrics& metrics) {
  router.add({.method = "GET",
              .pattern = "/metrics",
              .summary = "Counters and times for Prometheus.",
              .handler =
                  [&service, &metrics](const http::Request&,
                                       const std::shared_ptr<http::Exchange>& exchange) {
                    exchange->respond({.content_type = "text/plain; version=0.0.4; charset=utf-8",
                                       .body = metrics.scrape(service)});
                  },
              .response_type = "text/plain"});
}

}  // namespace octet::api
