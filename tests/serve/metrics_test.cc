#include "api/metrics.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "serve/server_process.h"

namespace octet::test {
namespace {

/// The number behind a series; -1 when it is not there.
double value_of(const std::string& text, const std::string& series) {
  const std::size_t place = ("\n" + text).find("\n" + series + " ");
  return place == std::string::npos ? -1 : std::stod(text.substr(place + series.size()));
}

TEST(Metrics, CountWhatHappened) {
  const ServerProcess server;
  (void)server.draw(R"({"prompt":"a","n":3})");
  (void)server.draw(R"({"prompt":"too large"})");
  (void)server.draw(R"({"prompt":7})");
  (void)server.get("/nothing");
  const HttpAnswer answer = server.get("/metrics");
  EXPECT_EQ(answer.header("Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
  const std::string route = "sd_requests_total{route=\"/v1/images/generations\",code=\"";
  for (const auto& [series, expected] : std::vector<std::pair<std::string, double>>{
           {route + "200\"}", 1},
           {route + "503\"}", 1},
           {route + "400\"}", 1},
           {"sd_requests_total{route=\"refused\",code=\"404\"}", 1},
           {"sd_images_total{model=\"emoji\"}", 3},
           {"sd_oom_total", 1},
           {"sd_queue_depth{class=\"normal\"}", 0},
           {"sd_jobs_running", 0},
           {"sd_jobs_accepted_total", 2},
           {"sd_jobs_ended_total{state=\"done\"}", 1},
           {"sd_jobs_ended_total{state=\"failed\"}", 1},
           {"sd_worker_ready", 1},
           {"sd_worker_restarts_total", 0},
           {"sd_request_seconds_count{route=\"/v1/images/generations\",phase=\"denoise\"}", 1},
           {"sd_request_seconds_bucket{route=\"/v1/images/generations\",phase=\"vae\",le=\"+Inf\"}",
            1}}) {
    EXPECT_EQ(value_of(answer.body, series), expected) << series << "\n" << answer.body;
  }
}

TEST(Metrics, BucketsAreCumulativeAndLabelsEscaped) {
  api::Metrics metrics;
  serve::Jobs jobs({});
  Log log(LogFormat::kText, LogLevel::kError, STDERR_FILENO);
  api::Journal journal(log, false);
  const api::Service service{
      .jobs = jobs, .status = [] { return serve::WorkerStatus(); }, .journal = journal};
  for (const double seconds : {0.001, 0.3, 0.3, 1000.0}) metrics.observe("x", {}, seconds);
  metrics.count("y", {{"l", "a\"b\\c\nd"}});
  const std::string text = metrics.scrape(service);
  EXPECT_EQ(value_of(text, "x_bucket{le=\"0.005\"}"), 1);
  EXPECT_EQ(value_of(text, "x_bucket{le=\"0.5\"}"), 3);
  EXPECT_EQ(value_of(text, "x_bucket{le=\"120\"}"), 3);
  EXPECT_EQ(value_of(text, "x_bucket{le=\"+Inf\"}"), 4);
  EXPECT_EQ(value_of(text, "x_sum"), 1000.601);
  EXPECT_NE(text.find(R"(y{l="a\"b\\c\nd"} 1)"), std::string::npos) << text;
}

}  // namespace
}  // namespace octet::test
