// The worker process: its deaths, its replacement, its end.

#include <gtest/gtest.h>
#include <signal.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "serve/server_process.h"

namespace octet::test {
namespace {

using Json = nlohmann::json;

const std::string kSlowRequest = R"({"prompt":"a","num_inference_steps":30,"seed":1})";

TEST(Worker, KilledWhileItDrawsIsReplacedAndTheJobDone) {
  const ServerProcess server({"--model", "slow"});
  HttpConnection client(server.port());
  client.send(request_text("POST", "/v1/images/generations", kSlowRequest));
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  const pid_t first = server.worker();
  ASSERT_GT(first, 0);
  ASSERT_EQ(::kill(first, SIGKILL), 0);
  EXPECT_EQ(server.get("/healthz").status, 200);
  const HttpAnswer answer = client.receive();
  EXPECT_EQ(answer.status, 200) << answer.body;
  const Json ready = Json::parse(server.get("/readyz").body);
  EXPECT_EQ(ready["restarts"], 1);
  EXPECT_EQ(ready["last_error"], "killed by signal 9 (Killed)");
  EXPECT_NE(server.worker(), first);
}

TEST(Worker, AJobThatKillsItFailsAfterTheSecondTime) {
  const ServerProcess server;
  const HttpAnswer answer = server.draw(R"({"prompt":"crash"})");
  EXPECT_EQ(answer.status, 500);
  const Json error = Json::parse(answer.body)["error"];
  EXPECT_EQ(error["type"], "server_error");
  EXPECT_NE(error["message"].get<std::string>().find("2 times"), std::string::npos);
  EXPECT_EQ(Json::parse(server.get("/readyz").body)["restarts"], 2);
  EXPECT_EQ(server.draw(R"({"prompt":"b"})").status, 200);
}

TEST(Worker, ALostDeviceEndsItWithItsCode) {
  const ServerProcess server;
  EXPECT_EQ(server.draw(R"({"prompt":"lose the device"})").status, 500);
  EXPECT_EQ(Json::parse(server.get("/readyz").body)["last_error"], "exit code 6");
  EXPECT_NE(server.said().find("the device is gone"), std::string::npos);
  EXPECT_EQ(server.draw(R"({"prompt":"b"})").status, 200);
}

TEST(Worker, EndsWithTheFront) {
  ServerProcess server({"--model", "slow"});
  HttpConnection client(server.port());
  client.send(request_text("POST", "/v1/images/generations", kSlowRequest));
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  const pid_t worker = server.worker();
  server.signal(SIGKILL);
  EXPECT_EQ(server.wait(), 128 + SIGKILL);
  EXPECT_TRUE(eventually([&] { return ::kill(worker, 0) != 0; }));
}

TEST(Worker, AModelThatCannotBeLoadedEndsTheServerWithItsCode) {
  for (const auto& [model, code] : {std::pair{"missing", 5}, {"corrupt", 3}, {"huge", 4}}) {
    ServerProcess server({"--model", model}, false);
    EXPECT_EQ(server.wait(), code) << model;
    EXPECT_NE(server.said().find("octet: error: "), std::string::npos) << server.said();
  }
}

TEST(Worker, WhileItLoadsTheServerSaysSo) {
  const ServerProcess server({"--model", "loading"}, false);
  EXPECT_EQ(server.get("/healthz").status, 200);
  const HttpAnswer ready = server.get("/readyz");
  EXPECT_EQ(ready.status, 503);
  EXPECT_EQ(Json::parse(ready.body)["worker"], "loading");
  const HttpAnswer answer = server.draw(R"({"prompt":"a"})");
  EXPECT_EQ(answer.status, 503);
  EXPECT_NE(answer.header("Retry-After"), "");
}

TEST(Drain, AcceptedJobsEndAndNothingNewBegins) {
  ServerProcess server({"--model", "slow"});
  HttpConnection client(server.port());
  client.send(request_text("POST", "/v1/images/generations", kSlowRequest));
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  server.signal(SIGTERM);
  ASSERT_TRUE(eventually([&] { return server.get("/readyz").status == 503; }));
  EXPECT_EQ(server.get("/healthz").status, 200);
  const HttpAnswer refused = server.draw(R"({"prompt":"b"})");
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(Json::parse(refused.body)["error"]["code"], "draining");
  EXPECT_EQ(client.receive().status, 200);
  EXPECT_EQ(server.wait(), 0);
}

TEST(Drain, TakesNoLongerThanItMay) {
  ServerProcess server({"--model", "slow", "--drain-timeout", "1"});
  HttpConnection client(server.port());
  client.send(request_text("POST", "/v1/images/generations",
                           R"({"prompt":"a","num_inference_steps":1000})"));
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  const auto begin = std::chrono::steady_clock::now();
  server.signal(SIGTERM);
  EXPECT_EQ(Json::parse(client.receive().body)["error"]["code"], "draining");
  EXPECT_EQ(server.wait(), 0);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(8));
}

TEST(Drain, AnIdleServerEndsAtOnce) {
  for (const int number : {SIGTERM, SIGINT}) {
    ServerProcess server;
    HttpConnection idle(server.port());
    server.signal(number);
    EXPECT_EQ(server.wait(), 0);
  }
}

}  // namespace
}  // namespace octet::test
