// Decoding in a child: the same as in this process, whatever the child does.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <thread>

#include "image/decode_child.h"
#include "process.h"
#include "support/errors.h"

namespace octet::test {
namespace {

namespace fs = std::filesystem;

const fs::path kInputs = std::string(OCTET_TEST_DATA) + "/fuzz/seeds/decode";
constexpr DecodeChildOptions kChild{.program = OCTET_WITH_STUB};

std::vector<std::byte> bytes_of(const fs::path& path) {
  const std::string text = read_file(path);
  const auto* begin = reinterpret_cast<const std::byte*>(text.data());
  return {begin, begin + text.size()};
}

TEST(DecodeApart, GivesWhatThisProcessWouldGive) {
  std::size_t pictures = 0;
  for (const auto& entry : fs::directory_iterator(kInputs)) {
    const std::vector<std::byte> bytes = bytes_of(entry.path());
    const std::string name = "a\nb.png";  // in no message as it is
    try {
      const DecodedPicture here = decode_picture(bytes, name);
      const DecodedPicture there = decode_picture_apart(bytes, name, kChild);
      EXPECT_EQ(there.image.width, here.image.width);
      EXPECT_EQ(there.image.rgb, here.image.rgb) << entry.path();
      EXPECT_EQ(there.alpha, here.alpha) << entry.path();
      EXPECT_EQ(there.remarks, here.remarks) << entry.path();
      ++pictures;
    } catch (const Error& here) {
      const Error there = error_of([&] { (void)decode_picture_apart(bytes, name, kChild); });
      EXPECT_EQ(there.code(), Code::kInvalidArgument);
      EXPECT_STREQ(there.what(), here.what());
    }
  }
  EXPECT_GT(pictures, 20U);
  expect_error(Code::kInvalidArgument, "x: expected a PNG, JPEG or WebP picture",
               [] { (void)decode_picture_apart({}, "x", kChild); });
}

TEST(DecodeApart, LargePicturesComeThrough) {
  Image image{2048, 1500, {}};
  image.rgb.resize(std::size_t{3} * 2048 * 1500);
  for (std::size_t i = 0; i < image.rgb.size(); ++i) {
    image.rgb[i] = static_cast<std::uint8_t>(i * 2654435761U >> 13);
  }
  const std::vector<std::byte> png = encode(image, ImageFormat::kPng);
  EXPECT_EQ(decode_picture_apart(png, "large", kChild).image.rgb, image.rgb);
}

std::size_t open_files() {
  const fs::directory_iterator all("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

TEST(DecodeApart, ManyAtOnceLeaveNothingBehind) {
  const std::vector<std::byte> bytes = bytes_of(kInputs / "rgba.png");
  const DecodedPicture here = decode_picture(bytes, "x");
  const std::size_t before = open_files();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 10; ++i) {
        EXPECT_EQ(decode_picture_apart(bytes, "x", kChild).alpha, here.alpha);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(open_files(), before);
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD) << "no child is left, ended or not";
}

/// A program that stands in for the child.
struct Script {
  TempFolder folder;
  std::string path = folder / "child";
  explicit Script(const std::string& body) {
    write_file(path, "#!/bin/sh\n" + body + "\n");
    ::chmod(path.c_str(), 0755);
  }
  void expect(Code code, const std::string& part, double seconds = 10) const {
    expect_error(code, part, [&] {
      (void)decode_picture_apart(bytes_of(kInputs / "rgb.png"), "x.png",
                                 {.program = path.c_str(), .seconds = seconds});
    });
  }
};

TEST(DecodeApart, WhateverTheChildDoesIsAnError) {
  Script("kill -9 $$").expect(Code::kInvalidArgument, "x.png: its decoder was stopped by signal 9");
  Script("exit 0").expect(Code::kDevice, "picture decoder: ended without an answer");
  Script("echo abcdefghijklmnopqrstuvwxyz").expect(Code::kDevice, "ended without an answer");
  // 65535 x 1, without alpha or text.
  Script(R"(printf '\120\103\124\001\377\377\0\0\1\0\0\0\0\0\0\0\0\0\0\0'; sleep 5)")
      .expect(Code::kInvalidArgument, "x.png: expected sides of 1..4096 pixels, found 65535x1");
  // 4096 x 4096, of which nothing comes.
  Script(R"(printf '\120\103\124\001\0\20\0\0\0\20\0\0\0\0\0\0\0\0\0\0')")
      .expect(Code::kDevice, "ended without an answer");
  const auto start = std::chrono::steady_clock::now();
  Script("/bin/sleep 30")
      .expect(Code::kInvalidArgument, "x.png: expected to be decoded in 0.3 s", 0.3);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
  expect_error(Code::kDevice, "picture decoder: cannot start: No such file",
               [] { (void)decode_picture_apart({}, "x", {.program = "/none"}); });
}

}  // namespace
}  // namespace octet::test
