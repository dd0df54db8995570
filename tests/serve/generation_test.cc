// POST /v1/images/generations and GET /v1/models, as clients see them.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <span>
#include <thread>

#include "api/base64.h"
#include "image/image.h"
#include "serve/server_process.h"

namespace octet::test {
namespace {

using Json = nlohmann::json;

/// One server for the tests that do not harm it.
ServerProcess& server() {
  static ServerProcess process;
  return process;
}

Json drawn(const std::string& body) {
  const HttpAnswer answer = server().draw(body);
  EXPECT_EQ(answer.status, 200) << answer.body;
  return Json::parse(answer.body);
}

/// The error's object; status and all four keys are checked.
Json refused(int status, const std::string& body) {
  const HttpAnswer answer = server().draw(body);
  EXPECT_EQ(answer.status, status) << body << answer.body;
  const Json error = Json::parse(answer.body)["error"];
  for (const char* key : {"message", "type", "param", "code"}) EXPECT_TRUE(error.contains(key));
  EXPECT_EQ(error.size(), 4u);
  return error;
}

std::vector<std::byte> picture(const Json& answer, std::size_t index = 0) {
  return *api::decode_base64(answer["data"].at(index)["b64_json"].get<std::string>());
}

TEST(Generation, DrawsWhatWasAsked) {
  const Json answer = drawn(R"({"prompt":"a","size":"80x48","n":2,"seed":18446744073709551614})");
  ASSERT_EQ(answer["data"].size(), 2u);
  EXPECT_EQ(answer["data"][1]["seed"].get<std::uint64_t>(), 18446744073709551615u);
  EXPECT_EQ(answer["size"], "80x48");
  EXPECT_EQ(answer["output_format"], "png");
  EXPECT_EQ(answer["background"], "opaque");
  const Image image = decode_png(picture(answer), "answer");
  EXPECT_EQ(image.width, 80);
  EXPECT_EQ(image.height, 48);
  EXPECT_NE(picture(answer, 0), picture(answer, 1));
  EXPECT_NE(read_png_parameters(picture(answer), "answer")->find("Seed: 18446744073709551614"),
            std::string::npos);
}

TEST(Generation, NullsAreAbsent) {
  const Json answer = drawn(
      R"({"prompt":"a","model":null,"n":null,"size":null,"quality":null,"seed":3,"user":null})");
  EXPECT_EQ(answer["size"], "64x64");
  EXPECT_EQ(answer["data"].size(), 1u);
  EXPECT_EQ(picture(answer), picture(drawn(R"({"prompt":"a","seed":3,"size":"auto"})")));
}

TEST(Generation, EverySettingMatters) {
  const auto plain = picture(drawn(R"({"prompt":"a","seed":3})"));
  for (const char* field :
       {R"("negative_prompt":"b")", R"("num_inference_steps":3)", R"("guidance_scale":2.5)",
        R"("sampler":"dpmpp_2m")", R"("scheduler":"sgm_uniform")", R"("quality":"high")",
        R"("seed":4)", R"("prompt":"c")"}) {
    const std::string name = std::string(field).substr(0, std::string(field).find(':'));
    const std::string rest = name == "\"seed\""     ? R"("prompt":"a")"
                             : name == "\"prompt\"" ? R"("seed":3)"
                                                    : R"("prompt":"a","seed":3)";
    EXPECT_NE(picture(drawn("{" + rest + "," + field + "}")), plain) << field;
  }
}

TEST(Generation, Formats) {
  const auto jpeg = picture(drawn(R"({"prompt":"a","output_format":"jpeg"})"));
  EXPECT_EQ(jpeg.at(0), std::byte{0xff});
  const auto webp = picture(drawn(R"({"prompt":"a","output_format":"webp","seed":1})"));
  EXPECT_EQ(webp.at(8), std::byte{'W'});
  const auto small =
      picture(drawn(R"({"prompt":"a","output_format":"webp","seed":1,"output_compression":1})"));
  EXPECT_LT(small.size(), webp.size());
}

TEST(Generation, RefusalsNameTheField) {
  const auto expect = [](int status, const std::string& body, const Json& param,
                         const std::string& code) {
    const Json error = refused(status, body);
    EXPECT_EQ(error["param"], param) << body;
    EXPECT_EQ(error["code"], code) << body;
    EXPECT_EQ(error["type"], "invalid_request_error");
  };
  expect(400, R"({})", "prompt", "missing_required_parameter");
  expect(400, R"({"prompt":null})", "prompt", "missing_required_parameter");
  expect(400, R"({"prompt":7})", "prompt", "invalid_value");
  expect(400, R"({"prompt":"a\u0000b"})", "prompt", "invalid_value");
  expect(400, "{\"prompt\":\"" + std::string(32769, 'a') + "\"}", "prompt", "invalid_value");
  expect(400, R"({"prompt":"a","n":0})", "n", "invalid_value");
  expect(400, R"({"prompt":"a","n":1.5})", "n", "invalid_value");
  expect(400, R"({"prompt":"a","n":4294967297})", "n", "invalid_value");
  expect(400, R"({"prompt":"a","n":-18446744073709551617})", "n", "invalid_value");
  expect(400, R"({"prompt":"a","seed":-1})", "seed", "invalid_value");
  expect(400, R"({"prompt":"a","guidance_scale":1e999})", nullptr, "invalid_json");
  expect(400, R"({"prompt":"a","guidance_scale":NaN})", nullptr, "invalid_json");
  expect(400, R"({"prompt":"a","guidance_scale":-1})", "guidance_scale", "invalid_value");
  expect(400, R"({"prompt":"a","size":"1024"})", "size", "invalid_value");
  expect(400, R"({"prompt":"a","size":"64x64x64"})", "size", "invalid_value");
  expect(400, R"({"prompt":"a","size":"-64x64"})", "size", "invalid_value");
  expect(400, R"({"prompt":"a","size":"99999999999x64"})", "size", "invalid_value");
  expect(422, R"({"prompt":"a","size":"1024x1024"})", "size", "impossible_size");
  expect(422, R"({"prompt":"a","size":"65x64"})", "size", "impossible_size");
  expect(400, R"({"prompt":"a","background":"transparent"})", "background", "invalid_value");
  expect(400, R"({"prompt":"a","output_compression":5})", "output_compression", "invalid_value");
  expect(400, R"({"prompt":"a","response_format":"file"})", "response_format", "invalid_value");
  expect(400, R"({"prompt":"a","sampler":"x"})", "sampler", "invalid_value");
  expect(400, R"({"prompt":"a","sead":1})", "sead", "unknown_parameter");
  expect(404, R"({"prompt":"a","model":"../etc"})", "model", "model_not_found");
}

TEST(Generation, HostileJson) {
  for (const std::string& body :
       {std::string(), std::string("null"), std::string("[]"), std::string("{\"prompt\":\"a\""),
        std::string("{\"prompt\":\"a\"}x"), std::string(R"({"prompt":"a","prompt":"b"})"),
        std::string("{\"prompt\":\"\xff\"}"), std::string("{\"prompt\":\"\\ud800\"}"),
        "{\"prompt\":" + std::string(50000, '[') + std::string(50000, ']') + "}"}) {
    EXPECT_EQ(refused(400, body)["code"], "invalid_json") << body.substr(0, 40);
  }
  std::string deep = R"({"prompt":"a","user":)" + std::string(31, '[') + std::string(31, ']') + "}";
  EXPECT_EQ(server().draw(deep).status, 200) << "32 levels";
  deep = R"({"prompt":"a","user":)" + std::string(32, '[') + std::string(32, ']') + "}";
  EXPECT_EQ(server().draw(deep).status, 400) << "33 levels";
}

TEST(Generation, TooLargeABodyIs413) {
  const HttpAnswer answer = server().draw("{\"prompt\":\"" + std::string(1 << 20, 'a') + "\"}");
  EXPECT_EQ(answer.status, 413);
  EXPECT_EQ(Json::parse(answer.body)["error"]["code"], "request_too_large");
}

TEST(Generation, MemoryThatIsMissingIs503) {
  const HttpAnswer answer = server().draw(R"({"prompt":"too large"})");
  EXPECT_EQ(answer.status, 503);
  EXPECT_NE(answer.header("Retry-After"), "");
  EXPECT_EQ(Json::parse(answer.body)["error"]["code"], "out_of_memory");
}

TEST(Generation, WhatFitsIntoNoMemoryIs422WithTheNumbers) {
  const ServerProcess server;
  const HttpAnswer answer = server.draw(R"({"prompt":"never fits"})");
  EXPECT_EQ(answer.status, 422);
  EXPECT_EQ(answer.body,
            R"({"error":{"message":"memory: this request needs 9000 MiB of activations, there are )"
            R"(10 MiB","type":"invalid_request_error","param":null,"code":"impossible_memory"}})");
  EXPECT_EQ(answer.header("Retry-After"), "") << "another time would not help";
}

TEST(Generation, PicturesAsFilesOfTheServer) {
  const ServerProcess server;
  const std::string body = R"({"prompt":"a","seed":3,"n":2,"output_format":"webp")";
  const Json inside = Json::parse(server.draw(body + "}").body)["data"];
  const HttpAnswer answer = server.draw(body + R"(,"response_format":"url"})");
  const Json data = Json::parse(answer.body)["data"];
  ASSERT_EQ(data.size(), 2u) << answer.body;
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_FALSE(data[i].contains("b64_json"));
    const auto url = data[i]["url"].get<std::string>();
    const std::size_t path = url.find("/v1/pictures/");
    ASSERT_NE(path, std::string::npos) << url;
    EXPECT_TRUE(url.starts_with("http://localhost")) << url;
    const HttpAnswer file = server.get(url.substr(path));
    EXPECT_EQ(file.header("Content-Type"), "image/webp");
    EXPECT_EQ(api::encode_base64(std::as_bytes(std::span(file.body))), inside[i]["b64_json"]);
  }
  EXPECT_EQ(server.draw(body + R"(,"response_format":"url","stream":true})").status, 400);
}

TEST(Generation, TimesOfTheStagesAreInTheHead) {
  const std::string times = server().draw(R"({"prompt":"a"})").header("Server-Timing");
  for (const char* stage : {"queue;dur=", "text;dur=", "denoise;dur=", "vae;dur=", "encode;dur="}) {
    EXPECT_NE(times.find(stage), std::string::npos) << times;
  }
}

TEST(Generation, WarningsAreInTheHead) {
  const ServerProcess wordy({"--model", "wordy"});
  EXPECT_EQ(wordy.draw(R"({"prompt":"a"})").header("X-Octet-Warning"),
            "prompt: 90 tokens, the last 13 are ignored");
}

TEST(Generation, FullIs429AtOnce) {
  const ServerProcess slow({"--model", "slow", "--queue", "1", "--batch", "1"});
  std::vector<std::unique_ptr<HttpConnection>> held;
  for (int i = 0; i < 2; ++i) {
    held.push_back(std::make_unique<HttpConnection>(slow.port()));
    held.back()->send(request_text("POST", "/v1/images/generations",
                                   R"({"prompt":"a","num_inference_steps":500})"));
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
  const HttpAnswer answer = slow.draw(R"({"prompt":"a"})");
  EXPECT_EQ(answer.status, 429);
  EXPECT_GE(std::stoi(answer.header("Retry-After")), 1);
  EXPECT_EQ(answer.body, R"({"error":{"message":"the queue is full","type":"rate_limit_error",)"
                         R"("param":null,"code":"rate_limit_exceeded"}})");
}

TEST(Generation, AClientThatLeavesStopsItsJob) {
  const ServerProcess slow({"--model", "slow"});
  {
    const HttpConnection leaving(slow.port());
    leaving.send(request_text("POST", "/v1/images/generations",
                              R"({"prompt":"a","num_inference_steps":900})"));
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(slow.draw(R"({"prompt":"a","num_inference_steps":1})").status, 200);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
}

TEST(Generation, DeadlineIs504) {
  const ServerProcess slow({"--model", "slow"});
  const HttpAnswer answer = slow.draw(R"({"prompt":"a","num_inference_steps":900,"deadline":0.3})");
  EXPECT_EQ(answer.status, 504);
  EXPECT_EQ(Json::parse(answer.body)["error"]["code"], "deadline_exceeded");
}

TEST(Models, AreListed) {
  const Json list = Json::parse(server().get("/v1/models").body);
  EXPECT_EQ(list["object"], "list");
  EXPECT_EQ(list["data"][0]["id"], "emoji");
  EXPECT_EQ(list["data"][0]["object"], "model");
  EXPECT_TRUE(list["data"][0]["created"].is_number_integer());
  EXPECT_EQ(Json::parse(server().get("/v1/models/emoji").body)["id"], "emoji");
  EXPECT_EQ(server().get("/v1/models/other").status, 404);
}

TEST(Models, SeveralAreServed) {
  const ServerProcess two({"--model", "emoji", "--model", "second=other"});
  EXPECT_EQ(Json::parse(two.get("/v1/models").body)["data"][1]["id"], "second");
  EXPECT_EQ(two.draw(R"({"prompt":"a","model":"second"})").status, 200);
  EXPECT_EQ(two.draw(R"({"prompt":"a","model":"other"})").status, 404);
}

}  // namespace
}  // namespace octet::test
