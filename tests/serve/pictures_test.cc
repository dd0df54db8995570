// Results by what they are, and whose they are.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "api/keys.h"
#include "base/sha256.h"
#include "serve/server_process.h"
#include "support/temp_folder.h"

namespace octet::test {
namespace {

using Json = nlohmann::json;

std::string hash_of(const std::string& bytes) {
  return sha256_hex(std::as_bytes(std::span(bytes)));
}

class Pictures : public testing::Test {
 protected:
  Pictures()
      : file_(folder_.path() + "/keys"),
        ann_(header(api::add_key(file_, "ann"))),
        bob_(header(api::add_key(file_, "bob"))),
        server_({"--keys", file_}) {}
  static std::string header(const std::string& key) {
    return "Authorization: Bearer " + key + "\r\n";
  }
  [[nodiscard]] HttpAnswer ask(const std::string& who, const std::string& path,
                               const std::string& method = "GET") const {
    return http_request(server_.port(), method, path, "", who);
  }
  /// A finished job of `who`, as /v1/jobs shows it.
  [[nodiscard]] Json job_of(const std::string& who, int seed) const {
    const HttpAnswer begun =
        server_.post("/v1/jobs", R"({"prompt":"a","seed":)" + std::to_string(seed) + "}", who);
    EXPECT_EQ(begun.status, 202) << begun.body;
    const std::string path = begun.header("Location");
    EXPECT_TRUE(eventually([&] { return Json::parse(ask(who, path).body)["state"] == "done"; }));
    return Json::parse(ask(who, path).body);
  }

  TempFolder folder_;
  const std::string file_, ann_, bob_;
  const ServerProcess server_;
};

TEST_F(Pictures, AreNamedByTheirContent) {
  const std::string url = job_of(ann_, 7)["pictures"][0]["url"];
  const HttpAnswer answer = ask(ann_, url);
  const std::string hash = hash_of(answer.body);
  EXPECT_EQ(url, "/v1/pictures/" + hash + ".png");
  EXPECT_EQ(answer.header("Content-Type"), "image/png");
  EXPECT_EQ(answer.header("ETag"), '"' + hash + '"');
  EXPECT_EQ(answer.header("Cache-Control"), "private, max-age=86400, immutable");
  EXPECT_EQ(answer.header("Content-Disposition"), "inline; filename=\"" + hash + ".png\"");
  const HttpAnswer known = ask(ann_ + "If-None-Match: \"" + hash + "\"\r\n", url);
  EXPECT_EQ(known.status, 304);
  EXPECT_EQ(known.body, "");
  EXPECT_EQ(ask(ann_ + "If-None-Match: \"0\"\r\n", url).status, 200);
  const HttpAnswer generated = server_.post(
      "/v1/images/generations", R"({"prompt":"a","seed":7,"response_format":"url"})", ann_);
  EXPECT_EQ(Json::parse(generated.body)["data"][0]["url"], "http://localhost" + url);
}

TEST_F(Pictures, BelongToTheKeyThatMadeThem) {
  const Json job = job_of(ann_, 1);
  const std::string url = job["pictures"][0]["url"], path = "/v1/jobs/" + std::string(job["id"]);
  for (const std::string& place : {url, path, path + "/events", path + "/pictures/0"}) {
    EXPECT_EQ(ask(ann_, place).status, 200) << place;
    const HttpAnswer foreign = ask(bob_, place);
    EXPECT_EQ(foreign.status, 404) << place;
    EXPECT_EQ(Json::parse(foreign.body)["error"]["code"], "not_found");
    EXPECT_EQ(ask("", place).status, 401) << place;
  }
  EXPECT_EQ(ask(bob_, path, "DELETE").status, 404);
  // The same picture, made again by another: each has it from a job of their own.
  EXPECT_EQ(job_of(bob_, 1)["pictures"][0]["url"], url);
  EXPECT_EQ(ask(bob_, url).status, 200);
}

TEST_F(Pictures, NamesAreNoPaths) {
  const std::string url = job_of(ann_, 2)["pictures"][0]["url"];
  const std::string hash = url.substr(url.rfind('/') + 1, 64);
  const std::string all = "/v1/pictures/";
  for (const std::string& name :
       {hash, hash + ".jpeg", hash + ".png.png", hash.substr(1) + ".png", std::string(".png"),
        std::string("%2e%2e%2f") + hash + ".png", "../pictures/" + hash + ".png",
        "./" + hash + ".png", std::string("..%2f..%2fetc%2fpasswd"), std::string("%2fetc%2fpasswd"),
        file_.substr(1), std::string(64, '0') + ".png"}) {
    EXPECT_EQ(ask(ann_, all + name).status, 404) << name;
  }
}

TEST_F(Pictures, ModelsAreNamesOfThoseServed) {
  for (const char* model :
       {"../emoji", "/etc/passwd", "./emoji", "emoji/", "EMOJI", "https://evil.example/model"}) {
    const HttpAnswer answer = server_.post("/v1/images/generations",
                                           Json{{"prompt", "a"}, {"model", model}}.dump(), ann_);
    EXPECT_EQ(answer.status, 404) << model;
    EXPECT_EQ(Json::parse(answer.body)["error"]["code"], "model_not_found");
  }
}

}  // namespace
}  // namespace octet::test
