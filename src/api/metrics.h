// Counters, gauges and histograms in Prometheus' text format (version 0.0.4).
//
// A series is a metric's name and its labels, as they are printed. Thread-safety: all functions
// from any thread. Errors: none.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "api/service.h"

namespace octet::api {

using Labels = std::vector<std::pair<std::string, std::string>>;

class Metrics {
 public:
  Metrics();
  void count(const std::string& name, const Labels& labels, double by = 1);
  /// Into the histogram of that name.
  void observe(const std::string& name, const Labels& labels, double value);
  /// What a step of a running batch tells.
  void stepped(const serve::StepMessage& step, const std::string& compute);
  /// What a job that has ended tells.
  void job_ended(const serve::JobView& view);
  /// Everything, with the gauges of this moment.
  [[nodiscard]] std::string scrape(const Service& service) const;

 private:
  [[nodiscard]] std::string memory(const serve::WorkerStatus& status) const;
  struct Histogram {
    std::vector<std::uint64_t> buckets;
    std::uint64_t count = 0;
    double sum = 0;
  };
  mutable std::mutex mutex_;
  std::map<std::string, std::map<std::string, double>> counters_;
  std::map<std::string, std::map<std::string, Histogram>> histograms_;
  std::map<std::string, serve::StepMessage> latest_;  // by model
};

/// GET /metrics.
void add_metrics_route(http::Router& router, Service& service, Metrics& metrics);

}  // namespace octet::api
