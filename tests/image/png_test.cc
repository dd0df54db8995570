// Pixels of PNG files: round trips, other people's kinds of PNG, and damaged ones.
#include <gtest/gtest.h>
#include <png.h>

#include <cstring>
#include <random>

#include "image/image.h"
#include "octet/error.h"
#include "sample_image.h"

namespace octet {
namespace {

using Bytes = std::vector<std::byte>;

Bytes small_png() {
  EncodeOptions options;
  options.texts = {{"parameters", "a red apple\nSteps: 4"},
                   {"octet", "{\"prompt\": \"\xc3\xa9\"}"}};
  return encode(sample_image(5, 3), ImageFormat::kPng, options);
}

// True when the file is refused as damaged; any other exception fails the test.
bool refused(std::span<const std::byte> bytes) {
  bool pixels = false;
  try {
    (void)decode_png(bytes, "x.png");
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::kCorruptFile) << e.what();
    EXPECT_EQ(std::string(e.what()).rfind("x.png: ", 0), 0u) << e.what();
    pixels = true;
  }
  try {
    (void)read_png_texts(bytes, "x.png");
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::kCorruptFile) << e.what();
  }
  return pixels;
}

TEST(Png, RoundTripIsExact) {
  constexpr int kSizes[][2] = {{1, 1}, {3, 7}, {17, 1}, {255, 31}, {256, 256}};
  for (const auto& [width, height] : kSizes) {
    const Image image = sample_image(width, height);
    const Image back = decode_png(encode(image, ImageFormat::kPng), "x.png");
    EXPECT_EQ(back.width, width);
    EXPECT_EQ(back.height, height);
    EXPECT_EQ(back.rgb, image.rgb);
  }
  EXPECT_EQ(decode_png(small_png(), "x.png").rgb, sample_image(5, 3).rgb);
}

Bytes write_png(png_uint_32 format, int width, int height, const void* pixels,
                const void* colormap = nullptr, png_uint_32 colors = 0) {
  png_image image;
  std::memset(&image, 0, sizeof(image));
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(width);
  image.height = static_cast<png_uint_32>(height);
  image.format = format;
  image.colormap_entries = colors;
  Bytes bytes(4096);
  png_alloc_size_t size = bytes.size();
  EXPECT_NE(::png_image_write_to_memory(&image, bytes.data(), &size, 0, pixels, 0, colormap), 0);
  bytes.resize(size);
  return bytes;
}

TEST(Png, OtherKindsBecomeRgb) {
  const std::uint8_t rgba[] = {10, 20, 30, 255, 10, 20, 30, 0};
  EXPECT_EQ(decode_png(write_png(PNG_FORMAT_RGBA, 2, 1, rgba), "x").rgb,
            (std::vector<std::uint8_t>{10, 20, 30, 255, 255, 255}));
  const std::uint8_t grey[] = {7, 200};
  EXPECT_EQ(decode_png(write_png(PNG_FORMAT_GRAY, 1, 2, grey), "x").rgb,
            (std::vector<std::uint8_t>{7, 7, 7, 200, 200, 200}));
  const std::uint8_t palette[] = {1, 2, 3, 4, 5, 6}, indices[] = {1, 0, 1};
  EXPECT_EQ(decode_png(write_png(PNG_FORMAT_RGB_COLORMAP, 3, 1, indices, palette, 2), "x").rgb,
            (std::vector<std::uint8_t>{4, 5, 6, 1, 2, 3, 4, 5, 6}));
}

TEST(Png, TruncationAtEveryByteIsRefused) {
  const Bytes png = small_png();
  for (std::size_t size = 0; size < png.size(); ++size) {
    EXPECT_TRUE(refused(std::span(png).first(size))) << "cut to " << size;
  }
  EXPECT_FALSE(refused(png));
}

TEST(Png, EveryFlippedByteIsRefused) {
  const Bytes png = small_png();
  for (std::size_t at = 0; at < png.size(); ++at) {
    Bytes bad = png;
    bad[at] ^= std::byte{0x41};
    EXPECT_TRUE(refused(bad)) << "byte " << at;
  }
}

// Recomputes all checksums, so that damage gets past them to the decoders.
void repair_checksums(Bytes& png) {
  const auto u32 = [&](std::size_t at) {
    std::size_t value = 0;
    for (std::size_t i = 0; i < 4; ++i) value = value << 8 | std::to_integer<unsigned>(png[at + i]);
    return value;
  };
  for (std::size_t at = 8; at + 12 <= png.size();) {
    const std::size_t size = u32(at);
    if (size > png.size() - at - 12) return;
    std::uint32_t crc = 0xffffffffu;
    for (std::size_t i = at + 4; i < at + 8 + size; ++i) {
      crc ^= std::to_integer<std::uint32_t>(png[i]);
      for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xedb88320u : 0u);
    }
    for (std::size_t i = 0; i < 4; ++i) {
      png[at + 8 + size + i] = static_cast<std::byte>(~crc >> (24 - 8 * i));
    }
    at += size + 12;
  }
}

TEST(Png, RandomDamageWithGoodChecksumsNeverCrashes) {
  std::mt19937 engine(99);
  const Bytes png = encode(sample_image(23, 19), ImageFormat::kPng,
                           {.texts = {{"parameters", "x\nSteps: 1"}, {"k", "\xc3\xa9"}}});
  int bad = 0;
  for (int round = 0; round < 4000; ++round) {
    Bytes copy = png;
    const int changes = 1 + static_cast<int>(engine() % 4);
    for (int i = 0; i < changes; ++i) {
      copy[8 + engine() % (copy.size() - 8)] = static_cast<std::byte>(engine());
    }
    repair_checksums(copy);
    bad += refused(copy) ? 1 : 0;
  }
  EXPECT_GT(bad, 1000);
}

TEST(Png, HugeDimensionsAreRefusedBeforeMemoryIsTaken) {
  for (const std::uint32_t side : {16385u, 900000u, 0x7fffffffu, 0xffffffffu, 0u}) {
    Bytes png = small_png();
    for (std::size_t i = 0; i < 4; ++i) {
      png[16 + i] = static_cast<std::byte>(side >> (24 - 8 * i));
    }
    repair_checksums(png);
    EXPECT_TRUE(refused(png)) << side;
  }
  Bytes square = small_png();  // each side allowed, the area not
  square[18] = square[22] = std::byte{0x3f};
  repair_checksums(square);
  EXPECT_TRUE(refused(square));
}

}  // namespace
}  // namespace octet
