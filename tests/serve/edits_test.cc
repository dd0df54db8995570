// POST /v1/images/edits: forms as OpenAI's clients send them.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "api/base64.h"
#include "image/image.h"
#include "serve/server_process.h"

namespace octet::test {
namespace {

using Json = nlohmann::json;

std::string field(const std::string& name, const std::string& data) {
  return "--xyz\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + data + "\r\n";
}

std::string small_png(std::uint8_t value) {
  const auto bytes = encode({.width = 8, .height = 8, .rgb = std::vector<std::uint8_t>(192, value)},
                            ImageFormat::kPng);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class Edits : public testing::Test {
 protected:
  static HttpAnswer edit(const std::string& fields,
                         const std::string& type = "multipart/form-data") {
    const std::string body = fields + "--xyz--\r\n";
    HttpConnection connection(server().port());
    connection.send("POST /v1/images/edits HTTP/1.1\r\nHost: localhost\r\nContent-Type: " + type +
                    "; boundary=xyz\r\nContent-Length: " + std::to_string(body.size()) +
                    "\r\n\r\n" + body);
    return connection.receive();
  }
  static HttpAnswer begin(const std::string& fields) {
    const std::string body = fields + "--xyz--\r\n";
    HttpConnection connection(server().port());
    connection.send(
        "POST /v1/jobs/edits HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
        "multipart/form-data; boundary=xyz\r\nContent-Length: " +
        std::to_string(body.size()) + "\r\n\r\n" + body);
    return connection.receive();
  }
  static const ServerProcess& server() {
    static const ServerProcess process;
    return process;
  }
  static std::string drawn(const std::string& fields) {
    const HttpAnswer answer = edit(fields);
    EXPECT_EQ(answer.status, 200) << answer.body;
    return Json::parse(answer.body)["data"][0]["b64_json"];
  }
};

TEST_F(Edits, EveryPartMatters) {
  const std::string rest = field("prompt", "a") + field("seed", "3") + field("n", "1");
  const std::string plain = drawn(rest + field("image", small_png(9)));
  EXPECT_EQ(drawn(rest + field("image[]", small_png(9))), plain);
  EXPECT_NE(drawn(rest + field("image", small_png(10))), plain);
  EXPECT_NE(drawn(rest + field("image", small_png(9)) + field("strength", "0.3")), plain);
  EXPECT_NE(drawn(rest + field("image", small_png(9)) + field("mask", small_png(1))), plain);
}

TEST_F(Edits, RefusalsNameThePart) {
  const std::string prompt = field("prompt", "a"), image = field("image", small_png(9));
  for (const auto& [fields, param] : std::vector<std::pair<std::string, std::string>>{
           {prompt, "image"},
           {prompt + image + image, "image"},
           {prompt + field("image", "no picture"), "image"},
           {prompt + image + field("mask", "no picture"), "mask"},
           {image, "prompt"},
           {prompt + prompt + image, "prompt"},
           {prompt + image + field("n", "x"), "n"},
           {prompt + image + field("n", "99"), "n"},
           {prompt + image + field("strength", "0"), "strength"},
           {prompt + image + field("other", "1"), "other"}}) {
    const HttpAnswer answer = edit(fields);
    EXPECT_EQ(answer.status, 400) << param;
    EXPECT_EQ(Json::parse(answer.body)["error"]["param"], param);
  }
  EXPECT_EQ(edit(prompt + image, "application/json").status, 415);
}

TEST_F(Edits, AsAJobTheSamePicture) {
  const std::string form = field("prompt", "a") + field("seed", "3") +
                           field("image", small_png(9)) + field("mask", small_png(1)) +
                           field("strength", "0.5");
  const HttpAnswer answer = begin(form);
  ASSERT_EQ(answer.status, 202) << answer.body;
  const std::string path = answer.header("Location");
  Json job;
  ASSERT_TRUE(eventually([&] {
    job = Json::parse(server().get(path).body);
    return job["state"] == "done";
  })) << job;
  const HttpAnswer picture = server().get(job["pictures"][0]["url"]);
  EXPECT_EQ(api::encode_base64(std::as_bytes(std::span(picture.body))), drawn(form));
  EXPECT_EQ(Json::parse(begin(field("prompt", "a")).body)["error"]["param"], "image");
}

}  // namespace
}  // namespace octet::test
