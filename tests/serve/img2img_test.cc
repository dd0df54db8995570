// POST /sdapi/v1/img2img: pictures in base64, masks, and what becomes of A1111's other fields.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "api/base64.h"
#include "image/image.h"
#include "serve/server_process.h"

namespace octet::test {
namespace {

using Json = nlohmann::json;
using Bytes = std::vector<std::uint8_t>;

std::string base64_of(const Image& image) {
  return api::encode_base64(encode(image, ImageFormat::kPng));
}

/// Columns of 0, 1, 2, ... in all three colours.
Image columns(int width, int height) {
  Image image{.width = width, .height = height, .rgb = {}};
  for (int i = 0; i < width * height * 3; ++i) {
    image.rgb.push_back(static_cast<std::uint8_t>(i / 3 % width));
  }
  return image;
}

std::string flat(std::uint8_t value) {
  return base64_of({.width = 16, .height = 16, .rgb = Bytes(768, value)});
}

class Img2Img : public testing::Test {
 protected:
  static const ServerProcess& server() {
    static const ServerProcess process({"--model", "emoji", "--model", "other"});
    return process;
  }
  static HttpAnswer ask(Json more) {
    Json body = {{"prompt", "a"}, {"steps", 1},   {"seed", 3},
                 {"width", 64},   {"height", 64}, {"init_images", {flat(9)}}};
    body.update(more);
    return server().post("/sdapi/v1/img2img", body.dump());
  }
  /// The pixels of the first picture; `info_` is what is said of it.
  Bytes draw(const Json& more) {
    const HttpAnswer answer = ask(more);
    EXPECT_EQ(answer.status, 200) << answer.body;
    if (answer.status != 200) return {};
    const Json body = Json::parse(answer.body);
    info_ = Json::parse(body["info"].get<std::string>());
    picture_ = decode_png(*api::decode_base64(body["images"][0].get<std::string>()), "p");
    return picture_.rgb;
  }
  Json info_;
  Image picture_;
};

TEST_F(Img2Img, EveryFieldMatters) {
  const Bytes plain = draw(Json::object());
  EXPECT_EQ(info_["denoising_strength"], 0.75);
  EXPECT_EQ(info_["remarks"], Json::array()) << info_;
  EXPECT_EQ(draw({{"denoising_strength", 0.75}}), plain);
  EXPECT_EQ(draw({{"init_images", {"data:image/png;base64," + flat(9)}}}), plain);
  EXPECT_NE(draw({{"init_images", {flat(8)}}}), plain);
  EXPECT_NE(draw({{"denoising_strength", 0.5}}), plain);
  const Bytes white = draw({{"mask", flat(255)}});
  EXPECT_NE(white, plain);
  const Bytes black = draw({{"mask", flat(0)}});
  EXPECT_NE(black, white);
  EXPECT_EQ(draw({{"mask", flat(0)}, {"inpainting_mask_invert", 1}}), white);
}

TEST_F(Img2Img, ThePictureAndSizeThatEditsDraws) {
  const auto part = [](const std::string& name, const std::string& data) {
    return "--xyz\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + data + "\r\n";
  };
  const Image image = columns(32, 48);
  const auto file = encode(image, ImageFormat::kPng);
  const std::string body =
      part("prompt", "a") + part("seed", "3") + part("num_inference_steps", "1") +
      part("size", "32x48") + part("strength", "0.5") +
      part("image", {reinterpret_cast<const char*>(file.data()), file.size()}) + "--xyz--\r\n";
  HttpConnection connection(server().port());
  connection.send(
      "POST /v1/images/edits HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; "
      "boundary=xyz\r\nContent-Length: " +
      std::to_string(body.size()) + "\r\n\r\n" + body);
  const Json edited = Json::parse(connection.receive().body);
  const Image expected =
      decode_png(*api::decode_base64(edited["data"][0]["b64_json"].get<std::string>()), "p");
  EXPECT_EQ(draw({{"init_images", {base64_of(image)}},
                  {"width", nullptr},
                  {"height", nullptr},
                  {"denoising_strength", 0.5}}),
            expected.rgb);
  EXPECT_EQ(picture_.width, 32) << "the picture's own";
  EXPECT_EQ(picture_.height, 48);
}

TEST_F(Img2Img, ResizeModes) {
  const Image wide = columns(64, 16);
  const auto with_mode = [&](int mode) {
    return draw(
        {{"init_images", {base64_of(wide)}}, {"width", 32}, {"height", 32}, {"resize_mode", mode}});
  };
  // The middle 16 columns are what mode 1 leaves of it.
  Image middle{.width = 16, .height = 16, .rgb = {}};
  for (int i = 0; i < 16 * 16 * 3; ++i) {
    middle.rgb.push_back(static_cast<std::uint8_t>(24 + i / 3 % 16));
  }
  const Bytes stretched = with_mode(0), cut = with_mode(1), filled = with_mode(2);
  EXPECT_EQ(info_["remarks"].size(), 0u);
  EXPECT_NE(cut, stretched);
  EXPECT_NE(filled, stretched);
  EXPECT_NE(filled, cut);
  EXPECT_EQ(draw({{"init_images", {base64_of(middle)}}, {"width", 32}, {"height", 32}}), cut);
  EXPECT_EQ(with_mode(3), stretched);
  EXPECT_NE(info_["remarks"][0].get<std::string>().find("resize_mode 3"), std::string::npos);
}

TEST_F(Img2Img, WhatIsNotDoneIsSaid) {
  (void)draw({{"mask", flat(255)},
              {"inpainting_fill", 0},
              {"inpaint_full_res", true},
              {"mask_blur", 4},
              {"script_name", "x"},
              {"tiling", false}});
  const std::string said = info_["remarks"].dump();
  for (const char* word : {"inpainting_fill 0", "inpaint_full_res", "mask_blur", "script_name"}) {
    EXPECT_NE(said.find(word), std::string::npos) << word << said;
  }
  EXPECT_EQ(said.find("tiling"), std::string::npos) << "it asks for nothing";
  (void)draw({{"mask", flat(255)}, {"inpainting_fill", 1}, {"inpaint_full_res", false}});
  EXPECT_EQ(info_["remarks"], Json::array());
}

TEST_F(Img2Img, ModelAndCountsPerRequest) {
  (void)draw({{"override_settings", {{"sd_model_checkpoint", "other"}}}});
  EXPECT_EQ(info_["sd_model_name"], "other");
  (void)draw({{"batch_size", 2}, {"n_iter", 2}});
  EXPECT_EQ(info_["all_seeds"], Json::parse("[3,4,5,6]"));
}

TEST_F(Img2Img, RefusalsNameTheField) {
  const std::string picture = flat(9);
  for (const auto& [more, word] : std::vector<std::pair<Json, std::string>>{
           {{{"init_images", nullptr}}, "init_images"},
           {{{"init_images", Json::array()}}, "init_images"},
           {{{"init_images", {picture, picture}}}, "init_images"},
           {{{"init_images", {"http://127.0.0.1/a.png"}}}, "nothing is fetched"},
           {{{"init_images", {"data:image/png;base64"}}}, "init_images"},
           {{{"init_images", {"AAAA"}}}, "init_images"},
           {{{"init_images", {7}}}, "init_images"},
           {{{"mask", "AAAA"}}, "mask"},
           {{{"denoising_strength", 0}}, "denoising_strength"},
           {{{"resize_mode", 4}}, "resize_mode"},
           {{{"batch_size", 16}, {"n_iter", 2}}, "n_iter"},
           {{{"override_settings", 1}}, "override_settings"}}) {
    const HttpAnswer answer = ask(more);
    EXPECT_EQ(answer.status, 422) << word;
    EXPECT_NE(Json::parse(answer.body)["detail"].get<std::string>().find(word), std::string::npos)
        << answer.body;
  }
  EXPECT_EQ(ask({{"override_settings", {{"sd_model_checkpoint", "none"}}}}).status, 404);
}

TEST_F(Img2Img, ProgressAndInterrupt) {
  const ServerProcess slow({"--model", "slow"});
  const Json body = {{"prompt", "a"}, {"steps", 900}, {"init_images", {flat(9)}}};
  HttpConnection client(slow.port());
  client.send(request_text("POST", "/sdapi/v1/img2img", body.dump()));
  ASSERT_TRUE(eventually([&] {
    return Json::parse(slow.get("/sdapi/v1/progress").body)["state"]["sampling_step"] >= 2;
  }));
  EXPECT_EQ(slow.post("/sdapi/v1/interrupt", "{}").status, 200);
  EXPECT_EQ(client.receive().status, 409);
}

}  // namespace
}  // namespace octet::test
