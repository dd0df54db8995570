// /v1/jobs and the streams of events, as clients see them.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "api/base64.h"
#include "image/image.h"
#include "serve/server_process.h"

namespace octet::test {
namespace {

using Json = nlohmann::json;

/// The next event's name and data; an empty name when there is none.
std::pair<std::string, Json> next_event(HttpConnection& connection) {
  if (connection.receive_until("event: ", 10).empty()) return {};
  std::string name = connection.receive_until("\n");
  name.pop_back();
  connection.receive_until("data: ");
  return {name, Json::parse(connection.receive_until("\n"))};
}

/// Events up to the last one of a job.
std::vector<std::pair<std::string, Json>> all_events(HttpConnection& connection) {
  std::vector<std::pair<std::string, Json>> events;
  while (true) {
    auto event = next_event(connection);
    if (event.first.empty()) return events;
    const bool last = event.first == "done" || event.first == "failed" ||
                      event.first == "cancelled" || event.first == "error" ||
                      event.first == "image_generation.completed";
    events.push_back(std::move(event));
    if (last) return events;
  }
}

std::size_t count(const std::vector<std::pair<std::string, Json>>& events,
                  const std::string& name) {
  return static_cast<std::size_t>(std::count_if(
      events.begin(), events.end(), [&](const auto& event) { return event.first == name; }));
}

class JobsApi : public testing::Test {
 protected:
  static ServerProcess& server() {
    static ServerProcess process({"--model", "slow"});
    return process;
  }
  static std::string begin(const std::string& body) {
    const HttpAnswer answer = server().post("/v1/jobs", body);
    EXPECT_EQ(answer.status, 202) << answer.body;
    const std::string id = Json::parse(answer.body)["id"];
    EXPECT_EQ(answer.header("Location"), "/v1/jobs/" + id);
    return id;
  }
  static Json show(const std::string& id) {
    return Json::parse(server().get("/v1/jobs/" + id).body);
  }
};

TEST_F(JobsApi, EventsFromTheQueueToTheEnd) {
  const std::string id = begin(R"({"prompt":"a","num_inference_steps":25,"seed":9})");
  HttpConnection connection(server().port());
  connection.send(request_text("GET", "/v1/jobs/" + id + "/events"));
  const auto events = all_events(connection);
  ASSERT_FALSE(events.empty());
  EXPECT_EQ(events.back().first, "done");
  EXPECT_GE(count(events, "progress"), 20u);
  EXPECT_GE(count(events, "preview"), 1u);
  EXPECT_LE(count(events, "preview"), 4u) << "two a second";
  int step = 0;
  for (const auto& [name, data] : events) {
    if (name != "progress") continue;
    EXPECT_GE(data["step"].get<int>(), step);
    step = data["step"];
  }
  const Json job = show(id);
  EXPECT_EQ(job["state"], "done");
  const HttpAnswer picture = server().get(job["pictures"][0]["url"]);
  EXPECT_EQ(picture.header("Content-Type"), "image/png");
  const auto bytes = std::as_bytes(std::span(picture.body));
  EXPECT_EQ(decode_png(bytes, "picture").width, 64);
  EXPECT_EQ(server().get("/v1/jobs/" + id + "/pictures/1").status, 404);
  EXPECT_EQ(server().get("/v1/jobs/" + id + "/pictures/../0").status, 404);
  HttpConnection late(server().port());
  late.send(request_text("GET", "/v1/jobs/" + id + "/events"));
  EXPECT_EQ(all_events(late).at(0).first, "done") << "also for those who come later";
}

TEST_F(JobsApi, CancelledAtTheNextStep) {
  const std::string id = begin(R"({"prompt":"a","num_inference_steps":900})");
  ASSERT_TRUE(eventually([&] { return show(id)["state"] == "running"; }));
  const HttpAnswer answer = http_request(server().port(), "DELETE", "/v1/jobs/" + id);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(Json::parse(answer.body)["cancel_cause"], "client");
  const auto begin_time = std::chrono::steady_clock::now();
  ASSERT_TRUE(eventually([&] { return show(id)["state"] == "cancelled"; }));
  EXPECT_LT(std::chrono::steady_clock::now() - begin_time, std::chrono::seconds(2));
}

TEST_F(JobsApi, UnknownJobs) {
  for (const char* path :
       {"/v1/jobs/job_0", "/v1/jobs/job_0/events", "/v1/jobs/job_0/pictures/0"}) {
    const HttpAnswer answer = server().get(path);
    EXPECT_EQ(answer.status, 404);
    EXPECT_EQ(Json::parse(answer.body)["error"]["code"], "not_found");
  }
  EXPECT_EQ(server().post("/v1/jobs", R"({"prompt":1})").status, 400);
}

TEST_F(JobsApi, RepeatedRequestsJoinTheirJob) {
  const std::string body = R"({"prompt":"a","num_inference_steps":3})";
  const std::string key = "Idempotency-Key: k1\r\n";
  const std::string route = "/v1/images/generations";
  const HttpAnswer first = server().post(route, body, key);
  const HttpAnswer second = server().post(route, body, key);
  EXPECT_EQ(first.status, 200);
  EXPECT_EQ(Json::parse(first.body)["data"], Json::parse(second.body)["data"]);
  EXPECT_EQ(server().post(route, R"({"prompt":"b"})", key).status, 409);
  const Json once = Json::parse(server().post("/v1/jobs", body, key).body);
  EXPECT_EQ(Json::parse(server().post("/v1/jobs", body, key).body)["id"], once["id"]);
}

TEST_F(JobsApi, OpenAiStreams) {
  HttpConnection connection(server().port());
  connection.send(request_text(
      "POST", "/v1/images/generations",
      R"({"prompt":"a","num_inference_steps":40,"stream":true,"partial_images":2,"seed":4})"));
  const auto events = all_events(connection);
  ASSERT_FALSE(events.empty());
  EXPECT_EQ(count(events, "image_generation.partial_image"), 2u);
  EXPECT_EQ(events[0].second["partial_image_index"], 0);
  EXPECT_EQ(events[0].second["type"], "image_generation.partial_image");
  const Json& last = events.back().second;
  EXPECT_EQ(last["type"], "image_generation.completed");
  EXPECT_FALSE(last.contains("partial_image_index"));
  EXPECT_EQ(last["size"], "64x64");
  EXPECT_EQ(decode_png(*api::decode_base64(last["b64_json"].get<std::string>()), "p").width, 64);
}

TEST_F(JobsApi, StreamsSayErrorsToo) {
  HttpConnection connection(server().port());
  connection.send(
      request_text("POST", "/v1/images/generations", R"({"prompt":"too large","stream":true})"));
  const auto events = all_events(connection);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].first, "error");
  EXPECT_EQ(events[0].second["error"]["code"], "out_of_memory");
}

TEST_F(JobsApi, TheDescriptionHasEveryRouteAndField) {
  const Json api = Json::parse(server().get("/openapi.json").body);
  const Json& paths = api["paths"];
  for (const char* path : {"/healthz", "/readyz", "/v1/models", "/v1/images/generations",
                           "/v1/jobs/{id}/events", "/openapi.json"}) {
    EXPECT_TRUE(paths.contains(path)) << path;
  }
  EXPECT_TRUE(paths["/v1/jobs/{id}"].contains("delete"));
  const Json& schema = paths["/v1/images/generations"]["post"]["requestBody"]["content"]
                            ["application/json"]["schema"];
  EXPECT_EQ(schema["required"], Json::array({"prompt"}));
  EXPECT_EQ(schema["properties"]["n"]["maximum"], 10);
  // Routes without placeholders answer what the description promises: no 404, no 405.
  for (const auto& [path, operations] : paths.items()) {
    if (path.find('{') != std::string::npos || !operations.contains("get")) continue;
    EXPECT_EQ(server().get(path).status, 200) << path;
  }
}

}  // namespace
}  // namespace octet::test
