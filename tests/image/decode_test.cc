// Reading pictures of unknown origin: files that Pillow wrote (make_inputs.py), and damaged ones.
#include "image/decode.h"

#include <gtest/gtest.h>

#include <cstdio>
// jpeglib.h needs FILE from <cstdio>.
#include <jpeglib.h>
#include <zlib.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "base/sha256.h"
#include "support/errors.h"

namespace octet {
namespace {

using Bytes = std::vector<std::byte>;

Bytes read_input(const std::string& name) {
  std::ifstream file(std::string(OCTET_TEST_DATA) + "/fuzz/seeds/decode/" + name, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  EXPECT_FALSE(text.empty()) << name;
  const auto* begin = reinterpret_cast<const std::byte*>(text.data());
  return {begin, begin + text.size()};
}

std::string digest_of(const DecodedPicture& p) {
  Bytes rgba;
  for (std::size_t i = 0; i < p.image.rgb.size() / 3; ++i) {
    for (std::size_t c = 0; c < 3; ++c) rgba.push_back(std::byte{p.image.rgb[3 * i + c]});
    rgba.push_back(p.alpha.empty() ? std::byte{255} : std::byte{p.alpha[i]});
  }
  return sha256_hex(rgba).substr(0, 16);
}

struct Case {
  const char* file;
  int width, height;
  const char* sha256;  // the first 16 digits, of RGBA as Pillow decodes it
};

constexpr Case kCases[] = {
    {"baseline.jpg", 21, 13, "9f8c7b24ace61ad5"},
    {"bilevel.png", 21, 13, "cea1eaa3b4361373"},
    {"grey.jpg", 21, 13, "7663a47d8de48dde"},
    {"grey.png", 21, 13, "f7d2e02f787042ad"},
    {"grey_alpha.png", 21, 13, "393ed52f959a77c9"},
    {"interlaced.png", 21, 13, "56386b28f7461ba7"},
    {"lossless.webp", 21, 13, "56386b28f7461ba7"},
    {"lossy.webp", 21, 13, "c34e604f44dbaef8"},
    {"palette.png", 21, 13, "056454ad33b563d0"},
    {"palette_alpha.png", 21, 13, "e140f5ea96793082"},
    {"profile.jpg", 21, 13, "011d07e1eb868b42"},
    {"profile.png", 21, 13, "cf58a55ff76a43a6"},
    {"progressive.jpg", 21, 13, "9172bbe81497d4ef"},
    {"rgb.png", 21, 13, "cf58a55ff76a43a6"},
    {"rgba.png", 21, 13, "56386b28f7461ba7"},
    {"rgba16.png", 21, 13, "56386b28f7461ba7"},
    {"turned.png", 13, 21, "8d0c15e886e8c17b"},
    {"turned.webp", 13, 21, "19f96769c6919751"},
    {"turned1.jpg", 21, 13, "9f8c7b24ace61ad5"},
    {"turned2.jpg", 21, 13, "1882084bef2cb585"},
    {"turned3.jpg", 21, 13, "68b061e42c0b4be2"},
    {"turned4.jpg", 21, 13, "b0eb4bd418d4bef5"},
    {"turned5.jpg", 13, 21, "49232d39d6f6f24a"},
    {"turned6.jpg", 13, 21, "b824204456a10801"},
    {"turned7.jpg", 13, 21, "b8a3acdd5370d739"},
    {"turned8.jpg", 13, 21, "0fa1c2fa504a6141"},
};

TEST(Decode, EqualsPillow) {
  for (const Case& c : kCases) {
    const DecodedPicture p = decode_picture(read_input(c.file), c.file);
    EXPECT_EQ(p.image.width, c.width) << c.file;
    EXPECT_EQ(p.image.height, c.height) << c.file;
    EXPECT_EQ(digest_of(p), c.sha256) << c.file;
    const bool profile = std::string(c.file).starts_with("profile");
    EXPECT_EQ(p.remarks.size(), profile ? 1u : 0u) << c.file;
  }
  EXPECT_TRUE(decode_picture(read_input("rgb.png"), "").alpha.empty());
  EXPECT_EQ(decode_picture(read_input("rgba.png"), "").alpha.size(), 21u * 13u);
}

void refused(const std::string& part, std::span<const std::byte> bytes) {
  test::expect_error(Code::kInvalidArgument, part, [&] { (void)decode_picture(bytes, "a.png"); });
}

TEST(Decode, WhatIsNotReadIsRefusedByName) {
  refused("a.png: expected grey or RGB colours, found CMYK", read_input("cmyk.jpg"));
  refused("a.png: expected one picture, found an animation", read_input("moving.png"));
  refused("a.png: expected one picture, found an animation", read_input("moving.webp"));
  for (const std::string other :
       {"", "P", "GIF89a", "BM\x36\x84", "<svg", "\x89PNG", "RIFF1234WAVE"}) {
    refused("expected a PNG, JPEG or WebP picture", std::as_bytes(std::span(other)));
  }
}

// No prefix of a file is a picture, and none is more than an error.
TEST(Decode, TruncatedFilesAreRefused) {
  for (const Case& c : kCases) {
    const Bytes whole = read_input(c.file);
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const Error e =
          test::error_of([&] { (void)decode_picture(std::span(whole).first(size), c.file); });
      ASSERT_EQ(e.code(), Code::kInvalidArgument) << c.file << " " << size << " " << e.what();
    }
  }
}

TEST(Decode, DamagedFilesGiveAPictureOrAnError) {
  for (const Case& c : kCases) {
    const Bytes whole = read_input(c.file);
    for (std::size_t at = 0; at < whole.size(); at += 3) {
      Bytes damaged = whole;
      damaged[at] ^= std::byte{0x55};
      try {
        (void)decode_picture(damaged, c.file);
      } catch (const Error& e) {
        ASSERT_EQ(e.code(), Code::kInvalidArgument) << c.file << " " << at << " " << e.what();
      }
    }
  }
}

void put_u32(Bytes& bytes, std::size_t at, std::uint32_t value) {
  for (std::size_t i = 0; i < 4; ++i) bytes[at + i] = std::byte(value >> (24 - 8 * i) & 255);
}

Bytes png_of_size(std::uint32_t width, std::uint32_t height) {
  Bytes png = read_input("rgb.png");
  put_u32(png, 16, width);
  put_u32(png, 20, height);
  const auto* header = reinterpret_cast<const unsigned char*>(png.data()) + 12;
  put_u32(png, 29, static_cast<std::uint32_t>(::crc32_z(0, header, 17)));
  return png;
}

TEST(Decode, SidesAreCheckedBeforePixels) {
  refused("a.png: expected sides of 1..4096 pixels, found 4097x1", png_of_size(4097, 1));
  refused("a.png: expected sides of 1..4096 pixels, found 1x4097", png_of_size(1, 4097));
  refused("found 2147483647x2147483647", png_of_size(0x7fffffff, 0x7fffffff));
  refused("found 0x5", png_of_size(0, 5));
  refused("found 4294967295x4294967295", png_of_size(0xffffffff, 0xffffffff));

  Bytes jpeg = read_input("baseline.jpg");
  const std::string head{"\xff\xc0\x00\x11\x08", 5};
  const auto frame = std::search(jpeg.begin(), jpeg.end(), head.begin(), head.end(),
                                 [](std::byte a, char b) { return static_cast<char>(a) == b; });
  ASSERT_NE(frame, jpeg.end());
  for (int i = 5; i < 9; ++i) frame[i] = std::byte{0xf0};
  refused("expected sides of 1..4096 pixels, found 61680x61680", jpeg);

  Bytes webp = read_input("lossless.webp");  // VP8L: 14 bits of width - 1 behind the signature
  ASSERT_EQ(webp[20], std::byte{0x2f});
  webp[21] = std::byte{0xff};
  webp[22] |= std::byte{0x3f};
  refused("expected sides of 1..4096 pixels, found 16384x13", webp);
}

// A progressive JPEG of 16x16 pixels that sends each coefficient in a scan of its own, up to
// `last`.
Bytes progressive_jpeg(int last) {
  std::vector<jpeg_scan_info> scans = {{3, {0, 1, 2, 0}, 0, 0, 0, 0}};
  for (int c = 0; c < 3; ++c) {
    for (int k = 1; k <= last; ++k) scans.push_back({1, {c, 0, 0, 0}, k, k, 0, 0});
  }
  jpeg_compress_struct info;
  jpeg_error_mgr errors;
  info.err = ::jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* data = nullptr;
  unsigned long size = 0;
  ::jpeg_mem_dest(&info, &data, &size);
  info.image_width = info.image_height = 16;
  info.input_components = 3;
  info.in_color_space = JCS_RGB;
  ::jpeg_set_defaults(&info);
  info.scan_info = scans.data();
  info.num_scans = static_cast<int>(scans.size());
  ::jpeg_start_compress(&info, TRUE);
  std::vector<unsigned char> line(16 * 3, 77);
  for (JSAMPROW row = line.data(); info.next_scanline < 16;) ::jpeg_write_scanlines(&info, &row, 1);
  ::jpeg_finish_compress(&info);
  ::jpeg_destroy_compress(&info);
  const auto* begin = reinterpret_cast<const std::byte*>(data);
  Bytes bytes(begin, begin + size);
  std::free(data);
  return bytes;
}

// A file of a few kilobytes may ask for hundreds of passes over all its pixels.
TEST(Decode, ProgressiveFilesHaveALimitOfScans) {
  EXPECT_NO_THROW((void)decode_picture(progressive_jpeg(33), "100 scans"));
  refused("damaged JPEG: more than 100 scans", progressive_jpeg(34));
}

TEST(Decode, AFloodOfChunksIsRefused) {
  const Bytes png = read_input("rgb.png");
  const std::byte chunk[] = {std::byte{0},    std::byte{0},    std::byte{0},    std::byte{0},
                             std::byte{'a'},  std::byte{'b'},  std::byte{'c'},  std::byte{'d'},
                             std::byte{0xed}, std::byte{0x82}, std::byte{0xcd}, std::byte{0x11}};
  Bytes flood(png.begin(), png.begin() + 33);
  for (int i = 0; i < 70000; ++i) flood.insert(flood.end(), std::begin(chunk), std::end(chunk));
  flood.insert(flood.end(), png.begin() + 33, png.end());
  refused("expected at most 65536 chunks", flood);
}

// A chunk behind the header.
Bytes with_chunk(std::string chunk) {
  const std::string size(1, static_cast<char>(chunk.size() - 4));
  const auto crc = static_cast<std::uint32_t>(
      ::crc32_z(0, reinterpret_cast<const unsigned char*>(chunk.data()), chunk.size()));
  chunk = std::string(3, '\0') + size + chunk;
  for (int shift = 24; shift >= 0; shift -= 8) chunk += static_cast<char>(crc >> shift);
  Bytes png = read_input("rgb.png");
  const auto bytes = std::as_bytes(std::span(chunk));
  png.insert(png.begin() + 33, bytes.begin(), bytes.end());
  return png;
}

TEST(Decode, OtherColoursAreSaid) {
  const auto remarks = [](const std::string& chunk) {
    return decode_picture(with_chunk(chunk), "a.png").remarks;
  };
  const std::vector<std::string> said = {"a.png: its colour profile is not applied"};
  EXPECT_EQ(remarks(std::string("gAMA\0\1\x86\xa0", 8)), said) << "100000: linear";
  EXPECT_TRUE(remarks(std::string("gAMA\0\0\xb1\x8f", 8)).empty()) << "45455: as sRGB";
  EXPECT_EQ(remarks(std::string("cICP\x9\x10\0\1", 8)), said) << "HDR";
}

TEST(Decode, TooManyBytesAreRefused) {
  refused("expected at most 67108864 bytes, found 67108865", Bytes(kMaxInputBytes + 1));
}

TEST(Decode, TransparencyIsLaidOverWhite) {
  DecodedPicture p;
  p.image.width = 3;
  p.image.height = 1;
  p.image.rgb = {10, 20, 30, 10, 20, 30, 10, 20, 30};
  p.alpha = {255, 0, 51};
  EXPECT_EQ(over_white(p).rgb,
            (std::vector<std::uint8_t>{10, 20, 30, 255, 255, 255, 206, 208, 210}));
  EXPECT_EQ(transparency_of(p), (std::vector<std::uint8_t>{0, 255, 204}));
  EXPECT_EQ(transparency_of(decode_picture(read_input("rgb.png"), "")),
            std::vector<std::uint8_t>(21 * 13));
  EXPECT_EQ(grey_of(p.image), (std::vector<std::uint8_t>{18, 18, 18}));
  EXPECT_EQ(grey_of({2, 1, {255, 255, 255, 7, 7, 7}}), (std::vector<std::uint8_t>{255, 7}));
}

}  // namespace
}  // namespace octet
