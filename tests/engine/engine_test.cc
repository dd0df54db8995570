// The public entry: options and their refusals, and one picture from a folder on disk.
#include "octet/engine.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "base/format.h"
#include "support/errors.h"
#include "support/temp_folder.h"
#include "support/tiny_pipeline.h"

namespace octet {
namespace {

using test::expect_error;

class OnDisk : public testing::Test {
 protected:
  OnDisk() {
    for (const auto& [name, bytes] : test::tiny_folder({})) folder_.write(name, bytes);
  }
  test::TempFolder folder_;
};

TEST_F(OnDisk, MakesTheSamePictureTwice) {
  Engine engine({.model = folder_.path(), .threads = 2});
  EXPECT_EQ(engine.model().path, folder_.path());
  EXPECT_EQ(engine.model().components.size(), 5u);
  EXPECT_TRUE(engine.model().device.starts_with("cpu: ")) << engine.model().device;
  EXPECT_GE(engine.model().load_seconds, 0);
  const GenerateRequest request{.prompt = "a red apple", .steps = 2, .seed = 5};
  const GenerateResult first = engine.generate(request, {});
  ASSERT_EQ(first.pictures.size(), 1u);
  EXPECT_EQ(first.pictures[0].rgb.size(), 3u * 48 * 48);
  EXPECT_EQ(first.pictures[0].seed, 5u);
  const GenerateResult again = engine.generate(request, {});
  EXPECT_EQ(first.pictures[0].rgb, again.pictures[0].rgb);
  EXPECT_EQ(first.activation_peak_bytes, again.activation_peak_bytes);
}

TEST_F(OnDisk, ABatchMakesThePicturesThatGenerateMakes) {
  Engine engine({.model = folder_.path(), .threads = 2});
  const auto batch = engine.start_batch({.max_pictures = 3});
  std::vector<GenerateRequest> requests;
  std::vector<GenerateResult> results(4);
  for (std::size_t i = 0; i < results.size(); ++i) {
    requests.push_back({.prompt = "apple " + std::to_string(i),
                        .steps = 2 + static_cast<int>(i),
                        .guidance = i == 1 ? 1.0f : 4.0f,
                        .seed = i,
                        .sampler = i == 2 ? "dpmpp_2m" : "euler"});
    batch->join(requests.back(), {.progress = {},
                                  .done = [&, i](GenerateResult r) { results[i] = std::move(r); },
                                  .failed = [](const Error& e) { ADD_FAILURE() << e.what(); }});
    EXPECT_TRUE(batch->step());
  }
  const GenerateResult between = engine.generate(requests[0], {});
  while (batch->step()) {
  }
  for (std::size_t i = 0; i < results.size(); ++i) {
    ASSERT_EQ(results[i].pictures.size(), 1u);
    EXPECT_EQ(results[i].pictures[0].rgb, engine.generate(requests[i], {}).pictures[0].rgb) << i;
  }
  EXPECT_EQ(between.pictures[0].rgb, results[0].pictures[0].rgb);
}

// The preview of the last step is made of the latents that are decoded.
TEST(Emoji, APreviewLooksLikeThePicture) {
  Engine engine({.model = "emoji", .threads = 2});
  const auto batch = engine.start_batch({});
  std::vector<Preview> previews;
  GenerateResult result;
  const Batch::Id id = batch->join({.prompt = "a red apple", .steps = 6, .seed = 1},
                                   {.preview = [&](Preview p) { previews.push_back(std::move(p)); },
                                    .done = [&](GenerateResult r) { result = std::move(r); }});
  do {
    batch->ask_preview(id);
  } while (batch->step());
  ASSERT_EQ(previews.size(), 6u);
  ASSERT_EQ(result.pictures.size(), 1u);
  const Picture &picture = result.pictures[0], &preview = previews.back().pictures[0];
  ASSERT_EQ(preview.width * 8, picture.width);
  double error = 0;
  for (int y = 0; y < preview.height; ++y) {
    for (int x = 0; x < preview.width * 3; ++x) {
      double mean = 0;  // of the pixels that it stands for
      for (int i = 0; i < 64; ++i) {
        const int column = x / 3 * 8 + i % 8;
        mean += picture.rgb[static_cast<std::size_t>(
                    ((y * 8 + i / 8) * picture.width + column) * 3 + x % 3)] /
                64.0;
      }
      const double d = mean - preview.rgb[static_cast<std::size_t>(y * preview.width * 3 + x)];
      error += d * d;
    }
  }
  const double mse = error / static_cast<double>(preview.rgb.size());
  EXPECT_GT(10 * std::log10(255 * 255 / mse), 24) << "dB";
  RecordProperty("psnr", format("%.1f", 10 * std::log10(255 * 255 / mse)));
}

TEST_F(OnDisk, SaysHowFarTheReadingIs) {
  std::uint64_t last = 0, all = 0, weights = 0;
  const Engine engine({.model = folder_.path(),
                       .threads = 2,
                       .reading = [&](std::uint64_t done, std::uint64_t total) {
                         EXPECT_GT(done, last);
                         EXPECT_TRUE(all == 0 || all == total);
                         last = done, all = total;
                         return true;
                       }});
  for (const ComponentInfo& c : engine.model().components) weights += c.bytes;
  EXPECT_EQ(all, weights);
  EXPECT_EQ(last, all);
  int calls = 0;
  expect_error(Code::kCancelled, "interrupted", [&] {
    Engine({.model = folder_.path(),
            .reading = [&](std::uint64_t, std::uint64_t) { return ++calls < 3; }});
  });
  EXPECT_EQ(calls, 3);
}

// Mapped memory would end the process here.
TEST_F(OnDisk, AFileThatIsTruncatedWhileItIsLoadedIsAnError) {
  const std::string file = "transformer/diffusion_pytorch_model.safetensors";
  const std::string path = folder_.path() + "/" + file;
  const auto size = std::filesystem::file_size(path);
  for (const std::uintmax_t left : {size / 2, size / 2 + 1, std::uintmax_t{0}}) {
    folder_.write(file, test::tiny_folder({}).at(file));
    const auto cut = [&](std::uint64_t, std::uint64_t) {
      std::filesystem::resize_file(path, left);
      return true;
    };
    expect_error(Code::kIo, path + ": file ",
                 [&] { Engine({.model = folder_.path(), .threads = 2, .reading = cut}); });
  }
  folder_.write(file, test::tiny_folder({}).at(file));
  EXPECT_NO_THROW(Engine({.model = folder_.path()}));
}

TEST_F(OnDisk, AnErrorLeavesTheEngineUsable) {
  Engine engine({.model = folder_.path(), .threads = 1});
  const GenerateRequest good{.prompt = "x", .steps = 1, .seed = 1};
  const GenerateResult before = engine.generate(good, {});
  expect_error(Code::kInvalidArgument, "steps",
               [&] { (void)engine.generate({.prompt = "x", .steps = 0}, {}); });
  expect_error(Code::kInvalidArgument, "skip",
               [&] { (void)engine.generate({.prompt = "x", .skip_layers = {99}}, {}); });
  expect_error(Code::kInvalidArgument, "prompt",
               [&] { (void)engine.generate({.prompt = "\xff"}, {}); });
  const GenerateHooks stop{
      .progress = [](const Progress&) { return false; }, .dump = {}, .picture = {}};
  expect_error(Code::kCancelled, "interrupted", [&] { (void)engine.generate(good, stop); });
  EXPECT_EQ(engine.generate(good, {}).pictures[0].rgb, before.pictures[0].rgb);
}

TEST_F(OnDisk, DevicesThatAreNotThere) {
  for (const char* device : {"cuda:98", "cuda:99"}) {
    expect_error(Code::kDevice, device,
                 [&] { Engine({.model = folder_.path(), .device = device}); });
  }
  for (const char* device : {"", "gpu", "CPU", "cpu:0"}) {
    expect_error(Code::kInvalidArgument, "device: expected auto, cpu",
                 [&] { Engine({.model = folder_.path(), .device = device}); });
  }
}

TEST(Engine, ModelsThatAreNotThere) {
  expect_error(Code::kIo, "no such path: absent/model", [] { Engine({.model = "absent/model"}); });
  expect_error(Code::kIo, "model", [] { Engine({.model = ""}); });
  const test::TempFolder folder;
  expect_error(Code::kModelMismatch, "model_index.json", [&] { Engine({.model = folder.path()}); });
  const std::string file = folder.write("model.safetensors", test::safetensors_of({}));
  expect_error(Code::kModelMismatch, file, [&] { Engine({.model = file}); });
}

}  // namespace
}  // namespace octet
