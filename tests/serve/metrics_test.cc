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
           {"sd_nan_total{stage=\"denoising\"}", 0},
           {"sd_queue_wait_seconds_count", 2},
           {"sd_step_seconds_count{model=\"emoji\",shape=\"64x64\",dtype=\"w8a16\"}", 1},
           {"sd_batch_size_sum{model=\"emoji\"}", 3},
           {"sd_batch_size_bucket{model=\"emoji\",le=\"2\"}", 0},
           {"sd_batch_size_bucket{model=\"emoji\",le=\"3\"}", 1},
           {"sd_prompt_cache_hits_total{model=\"emoji\"}", 2},
           {"sd_prompt_cache_misses_total{model=\"emoji\"}", 5},
           {"sd_vram_bytes{model=\"emoji\",pool=\"weights\"}", 4 << 20},
           {"sd_vram_bytes{model=\"emoji\",pool=\"activations\"}", 1000},
           {"sd_vram_plan_bytes{model=\"emoji\"}", (4 << 20) + 1000 + 10},
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
  for (const char* process : {"front", "worker"}) {
    const std::string series =
        std::string("sd_process_resident_bytes{process=\"") + process + "\"}";
    EXPECT_GT(value_of(answer.body, series), 1e5);
  }
}

TEST(Metrics, NumbersThatAreNotFiniteAreCountedByStage) {
  const ServerProcess server;
  EXPECT_EQ(server.draw(R"({"prompt":"not finite"})").status, 422);
  EXPECT_EQ(value_of(server.get("/metrics").body, "sd_nan_total{stage=\"denoising\"}"), 1);
}

TEST(Metrics, CountersGoOnWhenAWorkerBeginsAnew) {
  api::Metrics metrics;
  for (const std::uint64_t hits : {3, 5, 1, 2}) {
    metrics.stepped({.model = "m", .prompt_hits = hits}, "f32");
  }
  serve::Jobs jobs({});
  Log log(LogFormat::kText, LogLevel::kError, STDERR_FILENO);
  api::Journal journal(log, false);
  const api::Service service{
      .jobs = jobs, .status = [] { return serve::WorkerStatus(); }, .journal = journal};
  const std::string text = metrics.scrape(service);
  EXPECT_EQ(value_of(text, "sd_prompt_cache_hits_total{model=\"m\"}"), 7) << "5, then 2 more";
  EXPECT_EQ(value_of(text, "sd_batch_size_count{model=\"m\"}"), -1) << "nothing was denoised";
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
