// Bodies of refusals, whole, in both dialects.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "serve/server_process.h"

namespace octet::test {
namespace {

using Json = nlohmann::json;

const ServerProcess& server() {
  static const ServerProcess process;
  return process;
}

void expect_openai(const HttpAnswer& answer, int status, const std::string& message,
                   const Json& param, const std::string& code) {
  EXPECT_EQ(answer.status, status);
  EXPECT_EQ(answer.header("Content-Type"), "application/json");
  EXPECT_EQ(Json::parse(answer.body), (Json{{"error",
                                             {{"message", message},
                                              {"type", "invalid_request_error"},
                                              {"param", param},
                                              {"code", code}}}}));
}

TEST(Bodies, NotFound) {
  expect_openai(server().get("/nothing"), 404, "no such route: /nothing", nullptr, "not_found");
  expect_openai(server().get("/v1/jobs/job_0"), 404, "no such job, or its result is no longer kept",
                nullptr, "not_found");
  expect_openai(server().get("/v1/pictures/0.png"), 404, "no such picture, or it is no longer kept",
                nullptr, "not_found");
  expect_openai(server().draw(R"({"prompt":"a","model":"b"})"), 404,
                "the model 'b' does not exist; GET /v1/models lists those that do", "model",
                "model_not_found");
}

TEST(Bodies, TooLarge) {
  HttpConnection connection(server().port());
  connection.send(
      "POST /v1/images/generations HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
      "application/json\r\nContent-Length: 99999999\r\n\r\n");
  const HttpAnswer answer = connection.receive();
  const std::string message = Json::parse(answer.body)["error"]["message"];
  EXPECT_TRUE(message.starts_with("body: expected at most ")) << message;
  EXPECT_TRUE(message.ends_with(" bytes, found 99999999")) << message;
  expect_openai(answer, 413, message, nullptr, "request_too_large");
}

TEST(Bodies, Impossible) {
  const HttpAnswer answer = server().draw(R"({"prompt":"a","size":"16384x64"})");
  const std::string message = Json::parse(answer.body)["error"]["message"];
  EXPECT_TRUE(message.starts_with("size: expected sides that are multiples of ")) << message;
  EXPECT_TRUE(message.ends_with(", found 16384")) << message;
  expect_openai(answer, 422, message, "size", "impossible_size");
}

TEST(Bodies, JsonThatMeansTwoThingsOrNone) {
  const std::string deep = std::string(40, '[') + std::string(40, ']');
  for (const std::string& body :
       {std::string(R"({"prompt":"a","prompt":"b"})"), R"({"prompt":"a","x":)" + deep + "}",
        std::string(R"({"prompt":"a","guidance_scale":NaN})"),
        std::string(R"({"prompt":"a","guidance_scale":Infinity})"),
        std::string(R"({"prompt":"a","guidance_scale":1e999})"),
        std::string("{\"prompt\":\"a\xff\"}"), std::string("{\"prompt\":\"\xed\xa0\x80\"}"),
        std::string(R"({"prompt":"\ud800"})"), std::string(R"({"prompt":"a"}{)"),
        std::string(R"({"prompt":"a",})"), std::string("{\"prompt\":\"a\nb\"}"),
        std::string(R"(["prompt"])"), std::string("null"), std::string()}) {
    const HttpAnswer answer = server().draw(body);
    EXPECT_EQ(answer.status, 400) << body;
    const Json error = Json::parse(answer.body).at("error");
    EXPECT_EQ(error.size(), 4u) << answer.body;
    EXPECT_EQ(error["code"], "invalid_json") << answer.body;
    EXPECT_EQ(error["param"], nullptr) << answer.body;
  }
}

TEST(Bodies, TheOtherDialect) {
  const HttpAnswer missing = server().get("/sdapi/v1/nothing");
  EXPECT_EQ(missing.status, 404);
  EXPECT_TRUE(Json::parse(missing.body).contains("detail")) << missing.body;
  const HttpAnswer invalid = server().post("/sdapi/v1/txt2img", R"({"steps":"x"})");
  EXPECT_EQ(invalid.status, 422);
  EXPECT_TRUE(Json::parse(invalid.body).contains("detail")) << invalid.body;
}

}  // namespace
}  // namespace octet::test
