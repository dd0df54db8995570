// Messages survive the way to the other process, and what is no message is refused.

#include "serve/messages.h"

#include <gtest/gtest.h>

#include "support/errors.h"

namespace octet::serve {
namespace {

JobMessage full_job() {
  JobMessage job{.id = 0xfedcba9876543210u, .model = "emoji"};
  job.request.prompt = std::string("a\0b \xf0\x9f\x8d\x8e", 8);
  job.request.steps = 7;
  job.request.guidance = 0.1f;
  job.request.seed = ~std::uint64_t{0};
  job.request.skip_layers = {1, 2, 3};
  job.request.sampler = "";
  job.request.compat = Compat::kComfyUi;
  job.request.noise = FloatArray{{1, 2}, {0.5f, -1}};
  job.file = {.format = ImageFormat::kWebp, .quality = 30};
  return job;
}

TEST(Messages, EveryFieldOfAJobArrives) {
  const JobMessage job = full_job();
  const ToWorker back = decode_to_worker(encode_message(ToWorker(job)));
  const auto& got = std::get<JobMessage>(back);
  EXPECT_EQ(got.id, job.id);
  EXPECT_EQ(got.model, job.model);
  EXPECT_EQ(got.request.prompt, job.request.prompt);
  EXPECT_EQ(got.request.steps, 7);
  EXPECT_EQ(got.request.guidance, 0.1f);
  EXPECT_EQ(got.request.seed, ~std::uint64_t{0});
  EXPECT_EQ(got.request.skip_layers, job.request.skip_layers);
  EXPECT_EQ(got.request.sampler, "");
  EXPECT_FALSE(got.request.schedule);
  EXPECT_EQ(got.request.compat, Compat::kComfyUi);
  EXPECT_EQ(got.request.noise->values, job.request.noise->values);
  EXPECT_EQ(got.file.format, ImageFormat::kWebp);
  EXPECT_EQ(got.file.quality, 30);
}

TEST(Messages, EveryKindArrivesAsItself) {
  const std::vector<ToFront> all = {
      ReadyMessage{{{.name = "m", .longest_side = 512, .guidance = 4.5f}}, 3},
      UnusableMessage{Code::kIo, "no"},
      ProgressMessage{1, Stage::kDecode, 2, 3},
      PreviewMessage{1, 2, 3, {std::byte{9}}},
      PictureMessage{.id = 1, .index = 2, .seed = 3, .bytes = {std::byte{4}}},
      DoneMessage{.id = 1, .used = {.steps = 5}, .warnings = {"a", ""}},
      FailedMessage{1, Code::kCancelled, "x", true},
      StepMessage{.model = "m", .pictures = 2, .seconds = 0.5, .prompt_misses = 7}};
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto bytes = encode_message(all[i]);
    const ToFront back = decode_to_front(bytes);
    EXPECT_EQ(back.index(), i);
    EXPECT_EQ(encode_message(back), bytes);
  }
  EXPECT_EQ(std::get<ReadyMessage>(decode_to_front(encode_message(all[0]))).models[0].longest_side,
            512);
}

TEST(Messages, EveryCutAndEveryAdditionIsRefused) {
  std::vector<std::byte> bytes = encode_message(ToWorker(full_job()));
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    test::expect_error(Code::kInternal, "",
                       [&] { (void)decode_to_worker(std::span(bytes).first(size)); });
  }
  bytes.push_back(std::byte{0});
  test::expect_error(Code::kInternal, "too many", [&] { (void)decode_to_worker(bytes); });
  test::expect_error(Code::kInternal, "kind",
                     [&] { (void)decode_to_worker(std::vector{std::byte{200}}); });
}

TEST(Messages, LengthsBeyondTheMessageAllocateNothing) {
  std::vector<std::byte> bytes = encode_message(ToFront(FailedMessage{1, Code::kIo, "abcdefgh"}));
  for (std::size_t i = 10; i < 18 && i < bytes.size(); ++i) bytes[i] = std::byte{0xff};
  test::expect_error(Code::kInternal, "", [&] { (void)decode_to_front(bytes); });
}

}  // namespace
}  // namespace octet::serve
