// Encoding of pictures on another thread: order, one at a time, errors.
#include "picture_encoder.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "octet/error.h"

namespace octet::cli {
namespace {

using File = PictureEncoder::File;

TEST(PictureEncoder, FilesComeInTheOrderOfTheirPictures) {
  PictureEncoder encoder;
  std::atomic<int> at_work = 0;
  const std::thread::id caller = std::this_thread::get_id();
  for (int i = 0; i < 20; ++i) {
    encoder.add([&, i] {
      EXPECT_EQ(++at_work, 1);
      EXPECT_NE(std::this_thread::get_id(), caller);
      if (i % 3 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      --at_work;
      return File(static_cast<std::size_t>(i));
    });
  }
  const std::vector<File> files = encoder.finish();
  ASSERT_EQ(files.size(), 20u);
  for (std::size_t i = 0; i < files.size(); ++i) EXPECT_EQ(files[i].size(), i);
  EXPECT_TRUE(encoder.finish().empty());
}

TEST(PictureEncoder, AddReturnsBeforeThePictureIsEncoded) {
  PictureEncoder encoder;
  std::atomic<bool> go = false;
  encoder.add([&] {
    while (!go) std::this_thread::yield();
    return File(1);
  });
  go = true;  // never reached if add() waited
  EXPECT_EQ(encoder.finish().size(), 1u);
}

TEST(PictureEncoder, ErrorsComeOutOfTheNextCall) {
  const auto fails = []() -> File { throw Error(Code::kInvalidArgument, "too wide"); };
  PictureEncoder encoder;
  encoder.add(fails);
  EXPECT_THROW(encoder.add([] { return File(); }), Error);
  PictureEncoder last;
  last.add(fails);
  EXPECT_THROW((void)last.finish(), Error);
}

}  // namespace
}  // namespace octet::cli
