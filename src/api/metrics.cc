#include "api/metrics.h"

#include <unistd.h>

#include <array>
#include <fstream>
#include <span>

#include "base/format.h"
#include "base/version.h"

namespace octet::api {
namespace {

constexpr std::array kBounds = {0.005, 0.01, 0.025, 0.05, 0.1,  0.25, 0.5,
                                1.0,   2.5,  5.0,   10.0, 30.0, 60.0, 120.0};

constexpr std::array kPictureBounds = {1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0, 64.0};

std::span<const double> bounds_of(const std::string& name) {
  if (name == "sd_batch_size") return kPictureBounds;
  return kBounds;
}

constexpr std::array kStages = {"text encoders", "denoising", "picture encoding",
                                "picture decoding"};

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
    {"sd_nan_total", "Jobs that failed because numbers were no longer finite, by stage."},
    {"sd_queue_wait_seconds", "Time from acceptance to the worker, of all jobs that began."},
    {"sd_step_seconds", "A denoising step of the running batch, with what was done beside it."},
    {"sd_batch_size", "Pictures that were denoised together in a step."},
    {"sd_prompt_cache_hits_total", "Prompts that were encoded already."},
    {"sd_prompt_cache_misses_total", "Prompts that had to be encoded."},
    {"sd_vram_bytes", "Memory that the worker has reserved where it computes, by pool."},
    {"sd_vram_plan_bytes", "Memory that the planner counts on: the pools together."},
    {"sd_process_resident_bytes", "Resident host memory of the two processes."},
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

/// Of a process, as the kernel counts it; 0 when there is none.
double resident_bytes(const std::string& process) {
  std::ifstream file("/proc/" + process + "/statm");
  double total = 0, resident = 0;
  file >> total >> resident;
  return resident * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

/// pipeline/finite_check.h words these errors: the stage first.
void count_nan(Metrics& metrics, const std::string& error) {
  if (!error.ends_with("found NaN or infinity")) return;
  for (const char* stage : kStages) {
    if (error.starts_with(stage)) metrics.count("sd_nan_total", {{"stage", stage}});
  }
}

}  // namespace

void Metrics::count(const std::string& name, const Labels& labels, double by) {
  const std::lock_guard lock(mutex_);
  counters_[name][text_of(labels)] += by;
}

void Metrics::observe(const std::string& name, const Labels& labels, double value) {
  const std::span<const double> bounds = bounds_of(name);
  const std::lock_guard lock(mutex_);
  Histogram& histogram = histograms_[name][text_of(labels)];
  histogram.buckets.resize(bounds.size());
  for (std::size_t i = 0; i < bounds.size(); ++i) {
    if (value <= bounds[i]) ++histogram.buckets[i];
  }
  ++histogram.count;
  histogram.sum += value;
}

/// Counters that alerts watch are there from the start: what appears at 1 has not increased.
Metrics::Metrics() {
  for (const char* stage : kStages) count("sd_nan_total", {{"stage", stage}}, 0);
  count("sd_oom_total", {}, 0);
}

void Metrics::stepped(const serve::StepMessage& step, const std::string& compute) {
  if (step.pictures > 0) {
    const std::string shape = format("%dx%d", step.width, step.height);
    observe("sd_step_seconds", {{"model", step.model}, {"shape", shape}, {"dtype", compute}},
            step.seconds);
    observe("sd_batch_size", {{"model", step.model}}, step.pictures);
  }
  const std::lock_guard lock(mutex_);
  serve::StepMessage& before = latest_[step.model];
  const bool restarted =
      step.prompt_hits < before.prompt_hits || step.prompt_misses < before.prompt_misses;
  const serve::StepMessage from = restarted ? serve::StepMessage() : before;
  const std::string labels = text_of({{"model", step.model}});
  counters_["sd_prompt_cache_hits_total"][labels] +=
      static_cast<double>(step.prompt_hits - from.prompt_hits);
  counters_["sd_prompt_cache_misses_total"][labels] +=
      static_cast<double>(step.prompt_misses - from.prompt_misses);
  before = step;
}

/// The planner's figures, and what the kernel says that the processes hold.
std::string Metrics::memory(const serve::WorkerStatus& status) const {
  std::map<std::string, double> pools, plan;
  for (const serve::ModelCard& card : status.models) {
    const auto latest = latest_.find(card.name);
    const serve::StepMessage step = latest == latest_.end() ? serve::StepMessage() : latest->second;
    const auto pool = [&](const char* name, std::uint64_t bytes) {
      pools[text_of({{"model", card.name}, {"pool", name}})] = static_cast<double>(bytes);
      plan[text_of({{"model", card.name}})] += static_cast<double>(bytes);
    };
    pool("weights", card.weight_bytes);
    pool("activations", step.activation_bytes);
    pool("prompts", step.prompt_bytes);
  }
  std::map<std::string, double> resident;
  resident[text_of({{"process", "front"}})] = resident_bytes("self");
  if (status.pid != 0) {
    resident[text_of({{"process", "worker"}})] = resident_bytes(std::to_string(status.pid));
  }
  std::string text;
  add_gauge(text, "sd_vram_bytes", pools);
  add_gauge(text, "sd_vram_plan_bytes", plan);
  add_gauge(text, "sd_process_resident_bytes", resident);
  return text;
}

void Metrics::job_ended(const serve::JobView& view) {
  count("sd_jobs_ended_total", {{"state", serve::name_of(view.state)}});
  if (view.state == serve::JobState::kCancelled && view.cancel_cause) {
    count("sd_cancelled_total", {{"by", serve::name_of(*view.cancel_cause)}});
  }
  if (view.state == serve::JobState::kFailed) {
    count("sd_failed_total", {{"code", code_name(view.error_code)}});
    if (view.error_code == Code::kOutOfMemory) count("sd_oom_total", {});
    count_nan(*this, view.error);
  }
  if (view.attempts > 0) observe("sd_queue_wait_seconds", {}, view.queue_seconds);
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
  const serve::WorkerStatus status = service.status();
  const std::lock_guard lock(mutex_);
  text += memory(status);
  for (const auto& [name, series] : counters_) {
    text += head(name, "counter");
    for (const auto& [labels, value] : series) text += name + labels + format(" %.10g\n", value);
  }
  for (const auto& [name, series] : histograms_) {
    const std::span<const double> bounds = bounds_of(name);
    text += head(name, "histogram");
    for (const auto& [labels, h] : series) {
      const auto total = static_cast<unsigned long long>(h.count);
      for (std::size_t i = 0; i < bounds.size(); ++i) {
        text += name + "_bucket" + with_bound(labels, format("%g", bounds[i])) +
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
