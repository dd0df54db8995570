// The requests that Open WebUI and SillyTavern send to AUTOMATIC1111's API.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "api/base64.h"
#include "image/image.h"
#include "serve/server_process.h"

namespace octet::test {
namespace {

using Json = nlohmann::json;

class A1111 : public testing::Test {
 protected:
  static ServerProcess& server() {
    static ServerProcess process({"--model", "slow"});
    return process;
  }
  static Json get(const std::string& name) {
    const HttpAnswer answer = server().get("/sdapi/v1/" + name);
    EXPECT_EQ(answer.status, 200) << name;
    return Json::parse(answer.body);
  }
};

TEST_F(A1111, OptionsRoundTrip) {
  const Json options = get("options");
  EXPECT_EQ(options["sd_model_checkpoint"], get("sd-models")[0]["title"]);
  EXPECT_EQ(server().post("/sdapi/v1/options", options.dump()).status, 200);
  EXPECT_EQ(server().post("/sdapi/v1/options", R"({"unknown":{"a":[1]}})").status, 200);
  const HttpAnswer other = server().post("/sdapi/v1/options", R"({"sd_model_checkpoint":"x"})");
  EXPECT_EQ(other.status, 422) << "what cannot be done is not said to be done";
  EXPECT_TRUE(Json::parse(other.body).contains("detail"));
}

TEST_F(A1111, Menus) {
  EXPECT_EQ(get("samplers")[0]["name"], "Euler");
  EXPECT_TRUE(get("schedulers")[0].contains("label"));
  for (const char* name : {"sd-vae", "upscalers", "latent-upscale-modes", "loras"}) {
    EXPECT_TRUE(get(name).is_array()) << name;
  }
}

TEST_F(A1111, DrawsForSillyTavern) {
  const HttpAnswer answer = server().post("/sdapi/v1/txt2img", R"({
    "prompt":"a","negative_prompt":"b","sampler_name":"DPM++ 2M","scheduler":"Automatic",
    "steps":3,"cfg_scale":5,"width":90,"height":4000,"restore_faces":false,"enable_hr":false,
    "hr_scale":2,"denoising_strength":0.7,"seed":5,"clip_skip":1,
    "override_settings":{"CLIP_stop_at_last_layers":1,"sd_vae":""},"save_images":true,
    "send_images":true,"do_not_save_samples":false})");
  ASSERT_EQ(answer.status, 200) << answer.body;
  const Json body = Json::parse(answer.body);
  const Image image = decode_png(*api::decode_base64(body["images"][0].get<std::string>()), "p");
  EXPECT_EQ(image.width, 96);
  EXPECT_EQ(image.height, 512);
  const Json info = Json::parse(body["info"].get<std::string>());
  EXPECT_EQ(info["seed"], 5);
  EXPECT_EQ(info["sampler_name"], "DPM++ 2M");
  EXPECT_EQ(info["cfg_scale"], 5);
  EXPECT_EQ(info["remarks"].size(), 3u) << info;
  EXPECT_EQ(info["remarks"][0],
            "ignored: clip_skip, denoising_strength, hr_scale, "
            "override_settings.CLIP_stop_at_last_layers");
  EXPECT_NE(info["infotexts"][0].get<std::string>().find("Seed: 5"), std::string::npos);
}

TEST_F(A1111, SamplersOfOthersAreSaid) {
  const HttpAnswer answer =
      server().post("/sdapi/v1/txt2img", R"({"prompt":"a","steps":1,"sampler_name":"UniPC"})");
  const Json info = Json::parse(Json::parse(answer.body)["info"].get<std::string>());
  EXPECT_NE(info["remarks"][0].get<std::string>().find("UniPC"), std::string::npos);
}

TEST_F(A1111, ProgressAndInterrupt) {
  const Json idle = get("progress");
  EXPECT_EQ(idle["progress"], 0);
  EXPECT_EQ(idle["state"]["job_count"], 0);
  HttpConnection client(server().port());
  client.send(request_text("POST", "/sdapi/v1/txt2img", R"({"prompt":"a","steps":900})"));
  ASSERT_TRUE(eventually([&] { return get("progress")["state"]["sampling_step"] >= 2; }));
  const Json busy = get("progress?skip_current_image=true");
  EXPECT_GT(busy["progress"], 0);
  EXPECT_EQ(busy["state"]["job_count"], 1);
  EXPECT_EQ(busy["current_image"], nullptr);
  ASSERT_TRUE(eventually([&] { return get("progress")["current_image"].is_string(); }));
  HttpConnection other(server().port());
  other.send("POST /sdapi/v1/interrupt HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(other.receive().body, "{}");
  EXPECT_EQ(client.receive().status, 409);
  EXPECT_EQ(get("progress")["state"]["job_count"], 0);
}

TEST_F(A1111, ErrorsAreItsOwn) {
  for (const auto& [path, body, status] : std::vector<std::tuple<std::string, std::string, int>>{
           {"/sdapi/v1/txt2img", R"({"steps":0})", 422},
           {"/sdapi/v1/txt2img", "", 422},
           {"/sdapi/v1/nothing", "{}", 404}}) {
    const HttpAnswer answer = server().post(path, body);
    EXPECT_EQ(answer.status, status) << path << body;
    EXPECT_TRUE(Json::parse(answer.body).contains("detail"));
  }
}

}  // namespace
}  // namespace octet::test
