// JPEG and WebP through their libraries' decoders; formats, suffixes and limits.
#include <gtest/gtest.h>
#include <webp/decode.h>

#include <cstdio>
// jpeglib.h needs FILE from <cstdio>.
#include <jpeglib.h>

#include <cmath>

#include "image/image.h"
#include "octet/error.h"
#include "sample_image.h"

namespace octet {
namespace {

double psnr(const Image& a, const Image& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.rgb.size(); ++i) {
    const double d = static_cast<double>(a.rgb[i]) - b.rgb[i];
    sum += d * d;
  }
  return 10 * std::log10(255.0 * 255.0 / (sum / static_cast<double>(a.rgb.size()) + 1e-12));
}

struct Decoded {
  Image image;
  int luma_sampling = 0;
};

Decoded decode_jpeg(const std::vector<std::byte>& bytes) {
  jpeg_decompress_struct info;
  jpeg_error_mgr errors;
  info.err = ::jpeg_std_error(&errors);
  ::jpeg_create_decompress(&info);
  ::jpeg_mem_src(&info, reinterpret_cast<const unsigned char*>(bytes.data()),
                 static_cast<unsigned long>(bytes.size()));
  ::jpeg_read_header(&info, TRUE);
  info.out_color_space = JCS_RGB;
  ::jpeg_start_decompress(&info);
  Decoded out;
  out.image.width = static_cast<int>(info.output_width);
  out.image.height = static_cast<int>(info.output_height);
  out.luma_sampling = info.comp_info[0].h_samp_factor * info.comp_info[0].v_samp_factor;
  const std::size_t row = std::size_t{info.output_width} * 3;
  out.image.rgb.resize(row * info.output_height);
  while (info.output_scanline < info.output_height) {
    JSAMPROW target = &out.image.rgb[row * info.output_scanline];
    ::jpeg_read_scanlines(&info, &target, 1);
  }
  ::jpeg_finish_decompress(&info);
  ::jpeg_destroy_decompress(&info);
  return out;
}

Image decode_webp(const std::vector<std::byte>& bytes) {
  Image out;
  std::uint8_t* rgb = ::WebPDecodeRGB(reinterpret_cast<const std::uint8_t*>(bytes.data()),
                                      bytes.size(), &out.width, &out.height);
  if (rgb != nullptr) out.rgb.assign(rgb, rgb + std::size_t{3} * out.width * out.height);
  ::WebPFree(rgb);
  return out;
}

constexpr int kSizes[][2] = {{1, 1}, {17, 3}, {33, 47}, {256, 129}};

TEST(Encode, JpegKeepsThePictureAndItsColour) {
  for (const auto& [width, height] : kSizes) {
    const Image image = sample_image(width, height);
    const Decoded back = decode_jpeg(encode(image, ImageFormat::kJpeg));
    ASSERT_EQ(back.image.width, width);
    ASSERT_EQ(back.image.height, height);
    EXPECT_EQ(back.luma_sampling, 1);  // 4:4:4
    EXPECT_GT(psnr(image, back.image), 35.0);
  }
  const Image image = sample_image(64, 64);
  EXPECT_LT(encode(image, ImageFormat::kJpeg, {.jpeg_quality = 40}).size(),
            encode(image, ImageFormat::kJpeg).size());
}

TEST(Encode, WebpKeepsThePicture) {
  for (const auto& [width, height] : kSizes) {
    const Image image = sample_image(width, height);
    const Image back = decode_webp(encode(image, ImageFormat::kWebp));
    ASSERT_EQ(back.width, width);
    ASSERT_EQ(back.height, height);
    EXPECT_GT(psnr(image, back), 25.0);
    EXPECT_EQ(decode_webp(encode(image, ImageFormat::kWebp, {.webp_lossless = true})).rgb,
              image.rgb);
  }
}

TEST(Encode, SamePictureSameBytes) {
  const Image image = sample_image(50, 31);
  for (const ImageFormat format : {ImageFormat::kPng, ImageFormat::kJpeg, ImageFormat::kWebp}) {
    EXPECT_EQ(encode(image, format), encode(image, format)) << format_name(format);
  }
}

template <typename F>
void expect_error(F f, Code code, const char* part) {
  try {
    f();
    ADD_FAILURE() << "no error with: " << part;
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), code) << e.what();
    EXPECT_NE(std::string(e.what()).find(part), std::string::npos) << e.what();
  }
}

TEST(Encode, SuffixDecidesTheFormat) {
  EXPECT_EQ(format_from_suffix("out.png"), ImageFormat::kPng);
  EXPECT_EQ(format_from_suffix("a.b/c.JPG"), ImageFormat::kJpeg);
  EXPECT_EQ(format_from_suffix("x.png.jpeg"), ImageFormat::kJpeg);
  EXPECT_EQ(format_from_suffix("/tmp/.WebP"), ImageFormat::kWebp);
  for (const char* path : {"out", "out.gif", "dir.png/out", "out.", "", "out.pngx", "-"}) {
    expect_error([&] { return format_from_suffix(path); }, Code::kInvalidArgument,
                 ".png, .jpg, .jpeg, .webp");
  }
}

TEST(Encode, LimitsAreNamed) {
  const Image image = sample_image(4, 4);
  expect_error([&] { return encode(image, ImageFormat::kJpeg, {.jpeg_quality = 0}); },
               Code::kInvalidArgument, "jpeg quality: expected 1..100, found 0");
  expect_error([&] { return encode(image, ImageFormat::kWebp, {.webp_quality = 101}); },
               Code::kInvalidArgument, "webp quality");
  const Image wide{16384, 1, std::vector<std::uint8_t>(16384 * 3)};
  expect_error([&] { return encode(wide, ImageFormat::kWebp); }, Code::kInvalidArgument,
               "webp: expected sides of at most 16383");
  EXPECT_FALSE(encode(wide, ImageFormat::kPng).empty());
  expect_error(
      [&] {
        return encode(Image{4, 4, {1, 2, 3}}, ImageFormat::kPng);
      },
      Code::kInternal, "3 bytes for 4x4");
}

}  // namespace
}  // namespace octet
