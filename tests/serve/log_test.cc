// The log of a server, and the traces that requests belong to.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "api/trace.h"
#include "serve/server_process.h"

namespace octet::test {
namespace {

using Json = nlohmann::json;

constexpr const char* kTrace = "4bf92f3577b34da6a3ce929d0e0e4736";
const std::string kParent = std::string("00-") + kTrace + "-00f067aa0ba902b7-01";

TEST(Trace, GoesOnOrBegins) {
  const std::string next = api::continue_trace(kParent);
  EXPECT_TRUE(api::is_traceparent(next));
  EXPECT_EQ(api::trace_id(next), kTrace);
  EXPECT_NE(next.substr(36, 16), kParent.substr(36, 16)) << "this server is a part of its own";
  EXPECT_TRUE(next.ends_with("-01"));
  EXPECT_TRUE(api::is_traceparent("01-" + kParent.substr(3) + "-later")) << "a later version";
  const std::string zeros(32, '0');
  for (const std::string& wrong : std::vector<std::string>{
           std::string(), kParent.substr(1), kParent + "-x", kParent + " ",
           "ff" + kParent.substr(2), "01" + kParent.substr(2) + "x",
           "00-" + zeros + kParent.substr(35), kParent.substr(0, 36) + "0000000000000000-01",
           "00_" + kParent.substr(3), "00-4BF92F3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
           kParent.substr(0, 53) + "0g"}) {
    EXPECT_FALSE(api::is_traceparent(wrong)) << wrong;
    const std::string begun = api::continue_trace(wrong);
    EXPECT_TRUE(api::is_traceparent(begun)) << begun;
    EXPECT_NE(api::trace_id(begun), kTrace);
    EXPECT_NE(begun, api::continue_trace(wrong)) << "two traces";
  }
}

/// The lines of the log that are about `event`; every line must be JSON.
std::vector<Json> events(const ServerProcess& server, const std::string& event) {
  std::vector<Json> found;
  std::istringstream lines(server.said());
  for (std::string line; std::getline(lines, line) && !lines.eof();) {
    const Json json = Json::parse(line, nullptr, false);
    EXPECT_TRUE(json.is_object()) << line;
    EXPECT_TRUE(json.contains("time") && json.contains("level")) << line;
    if (json.value("event", "") == event) found.push_back(json);
  }
  return found;
}

Json wait_for(const ServerProcess& server, const std::string& event) {
  EXPECT_TRUE(eventually([&] { return !events(server, event).empty(); })) << server.said();
  const auto found = events(server, event);
  return found.empty() ? Json::object() : found.front();
}

TEST(ServerLog, AJobCanBeFollowedByItsTraceAndItsPromptIsNotSaid) {
  const ServerProcess server({"--log-format", "json", "--log-level", "debug"});
  const HttpAnswer answer = server.post("/v1/images/generations", R"({"prompt":"a \"secret\""})",
                                        "traceparent: " + kParent + "\r\n");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(api::trace_id(answer.header("traceparent")), kTrace);
  const Json ended = wait_for(server, "job ended");
  EXPECT_EQ(ended["status"], "done");
  EXPECT_EQ(ended["trace_id"], kTrace);
  EXPECT_GE(ended["denoise_s"].get<double>(), 0);
  EXPECT_EQ(ended["size"], "64x64");
  EXPECT_EQ(wait_for(server, "job accepted")["job"], ended["job"]);
  EXPECT_EQ(wait_for(server, "job begun")["job"], ended["job"]) << "said by the worker";
  EXPECT_EQ(api::trace_id(wait_for(server, "job begun")["traceparent"]), kTrace);
  const auto requests = [&] { return events(server, "request"); };
  EXPECT_TRUE(eventually([&] {
    for (const Json& r : requests()) {
      if (r["route"] == "/v1/images/generations") {
        return r["status"] == 200 && r["trace_id"] == kTrace && r["ms"].get<double>() > 0;
      }
    }
    return false;
  }));
  EXPECT_EQ(server.said().find("secret"), std::string::npos);
  EXPECT_EQ(wait_for(server, "worker ready")["model"], "emoji");
}

TEST(ServerLog, JobsCarryTheirTraceInEvents) {
  const ServerProcess server;
  const HttpAnswer begun =
      server.post("/v1/jobs", R"({"prompt":"a"})", "traceparent: " + kParent + "\r\n");
  const Json job = Json::parse(begun.body);
  EXPECT_EQ(job["trace_id"], kTrace);
  const std::string path = "/v1/jobs/" + job["id"].get<std::string>() + "/events";
  EXPECT_NE(server.get(path).body.find(kTrace), std::string::npos);
}

TEST(ServerLog, PromptsAndTroubleWhereAskedFor) {
  const ServerProcess server({"--log-format", "json", "--log-prompts"});
  (void)server.draw(R"({"prompt":"two\nlines \u001b[31m"})");
  EXPECT_EQ(wait_for(server, "job accepted")["prompt"], "two\nlines \x1b[31m");
  EXPECT_EQ(server.said().find('\x1b'), std::string::npos);
  (void)server.draw(R"({"prompt":"crash"})");
  EXPECT_NE(wait_for(server, "worker ended")["cause"].get<std::string>().find("signal 6"),
            std::string::npos);
  const HttpAnswer refused = server.get("/nothing");
  EXPECT_TRUE(api::is_traceparent(refused.header("traceparent")));
  // Not the first one: while the model loads, /readyz is answered 503, which is a warning.
  EXPECT_TRUE(eventually([&] {
    const auto requests = events(server, "request");
    return !requests.empty() && requests.back()["status"] == 404 &&
           requests.back()["level"] == "info";
  })) << server.said();
}

}  // namespace
}  // namespace octet::test
