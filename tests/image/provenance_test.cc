// What a picture says about its origin, and that it stays the same picture.
#include "image/provenance.h"

#include <gtest/gtest.h>

#include "image/decode.h"
#include "image/xmp_storage.h"
#include "sample_image.h"
#include "support/errors.h"

namespace octet {
namespace {

using Bytes = std::vector<std::byte>;
constexpr ImageFormat kFormats[] = {ImageFormat::kPng, ImageFormat::kJpeg, ImageFormat::kWebp};

PictureParameters apple() {
  PictureParameters p;
  p.prompt = "a red apple";
  p.negative_prompt = "blue";
  p.seed = 7;
  p.model = "emoji";
  p.model_hash = "0123";
  p.version = "0.1.0";
  return p;
}

EncodeOptions described(const PictureParameters& p, ImageFormat format, bool provenance = true) {
  EncodeOptions options{.webp_lossless = true};
  EXPECT_TRUE(describe_picture(p, format, provenance, options));
  return options;
}

TEST(Provenance, EveryFormatSaysWhoDrewThePicture) {
  const Image image = sample_image(33, 17);
  for (const ImageFormat format : kFormats) {
    const Bytes file = encode(image, format, described(apple(), format));
    const std::string packet = read_xmp(file, "x").value_or("");
    const auto property = [&](const char* name) { return xmp_property(packet, name).value_or(""); };
    EXPECT_EQ(property("Iptc4xmpExt:DigitalSourceType"),
              "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia")
        << format_name(format);
    EXPECT_EQ(property("xmp:CreatorTool"), "Octet 0.1.0");
    EXPECT_EQ(property("Iptc4xmpExt:AISystemUsed"), "emoji");
    EXPECT_EQ(property("Iptc4xmpExt:AIPromptInformation"), "a red apple\nNegative prompt: blue");
    EXPECT_EQ(read_picture_parameters(file, "x"), apple()) << format_name(format);
  }
}

TEST(Provenance, APictureOfWhichAMaskKeptAPartIsComposite) {
  PictureParameters p = apple();
  p.init_hash = "89ab";
  EXPECT_NE(provenance_xmp(p).find("/trainedAlgorithmicMedia<"), std::string::npos);
  p.mask_hash = "cdef";
  EXPECT_NE(provenance_xmp(p).find("/compositeWithTrainedAlgorithmicMedia<"), std::string::npos);
}

// Odd and even lengths: WebP's chunks are padded.
TEST(Provenance, ThePictureIsTheSame) {
  for (const ImageFormat format : kFormats) {
    for (const char* prompt : {"a", "ab", "abc", "abcd"}) {
      const Image image = sample_image(40, 30);
      PictureParameters p = apple();
      p.prompt = prompt;
      const Bytes with = encode(image, format, described(p, format));
      const Bytes without = encode(image, format, described(p, format, false));
      EXPECT_EQ(decode_picture(with, "x").image.rgb, decode_picture(without, "x").image.rgb);
      EXPECT_FALSE(read_xmp(without, "x").has_value());
      if (format == ImageFormat::kPng) {
        EXPECT_EQ(decode_png(with, "x").rgb, image.rgb);
        EXPECT_EQ(read_picture_parameters(without, "x"), p) << "a PNG's own texts stay";
      } else {
        EXPECT_FALSE(read_picture_parameters(without, "x").has_value());
      }
    }
  }
}

TEST(Provenance, WebpFilesKeepTheirForm) {
  const Bytes file =
      encode(sample_image(300, 17), ImageFormat::kWebp, described(apple(), ImageFormat::kWebp));
  const auto byte = [&](std::size_t at) { return std::to_integer<std::size_t>(file[at]); };
  EXPECT_EQ(byte(4) + (byte(5) << 8) + (byte(6) << 16), file.size() - 8) << "RIFF's length";
  EXPECT_EQ(file.size() % 2, 0U);
  const auto head = webp_chunk(file, "VP8X");
  ASSERT_EQ(head.size(), 10U);
  EXPECT_EQ(head[0], std::byte{4}) << "XMP and nothing else";
  EXPECT_EQ(std::to_integer<int>(head[4]) + (std::to_integer<int>(head[5]) << 8), 299);
  EXPECT_EQ(std::to_integer<int>(head[7]), 16);
  EXPECT_FALSE(webp_chunk(file, "VP8L").empty());
}

TEST(Provenance, AwkwardPromptsComeBack) {
  for (const std::string prompt :
       {"<b>&amp;</b> ]]> <!-- \"'", "line\nfeed\r\nand\rreturn\ttab", "\x01\x1f control",
        "</octet:parameters>", "caf\xc3\xa9 \xf0\x9f\x8d\x8e \xe4\xb8\x80", " ", "&#13; &lt &;"}) {
    for (const ImageFormat format : {ImageFormat::kJpeg, ImageFormat::kWebp}) {
      PictureParameters p = apple();
      p.prompt = prompt;
      const Bytes file = encode(sample_image(8, 8), format, described(p, format));
      EXPECT_EQ(read_picture_parameters(file, "x"), p) << prompt;
    }
  }
}

// XML has no way to write these at all.
TEST(Provenance, CharactersThatXmlLacksAreReplaced) {
  PictureParameters p = apple();
  p.negative_prompt = "";
  p.prompt = "a\x01z \xef\xbf\xbf \xed\xa0\x80 \xff";
  const std::string packet = provenance_xmp(p);
  EXPECT_EQ(xmp_property(packet, "Iptc4xmpExt:AIPromptInformation"),
            "a\xef\xbf\xbdz \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd "
            "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd \xef\xbf\xbd");
  p.prompt = "a\r\nb";
  EXPECT_EQ(provenance_xmp(p).find('\r'), std::string::npos) << "readers would drop it";
  for (const char c : packet) EXPECT_TRUE(c == '\n' || static_cast<unsigned char>(c) >= 0x20);
}

TEST(Provenance, AJpegWithoutRoomSaysItsOriginOnly) {
  PictureParameters p = apple();
  p.prompt = std::string(40000, 'x');
  EncodeOptions options;
  EXPECT_FALSE(describe_picture(p, ImageFormat::kJpeg, true, options));
  const Bytes jpeg = encode(sample_image(8, 8), ImageFormat::kJpeg, options);
  const std::string packet = read_xmp(jpeg, "x").value_or("");
  EXPECT_NE(packet.find("trainedAlgorithmicMedia"), std::string::npos);
  EXPECT_EQ(packet.find("xxx"), std::string::npos);
  EXPECT_FALSE(read_picture_parameters(jpeg, "x").has_value());
  for (const ImageFormat format : {ImageFormat::kPng, ImageFormat::kWebp}) {
    const Bytes file = encode(sample_image(8, 8), format, described(p, format));
    EXPECT_EQ(read_picture_parameters(file, "x"), p);
  }
  test::expect_error(Code::kInvalidArgument, "jpeg: expected XMP of at most 65502 bytes", [&] {
    (void)encode(sample_image(8, 8), ImageFormat::kJpeg,
                 {.xmp = std::string(kMaxJpegXmp + 1, 'x')});
  });
  const EncodeOptions full{.xmp = std::string(kMaxJpegXmp, 'x')};
  EXPECT_EQ(read_xmp(encode(sample_image(8, 8), ImageFormat::kJpeg, full), "x"), full.xmp);
}

TEST(Provenance, DamagedFilesGiveAPacketOrAnError) {
  for (const ImageFormat format : kFormats) {
    const Bytes whole = encode(sample_image(8, 8), format, described(apple(), format));
    for (std::size_t size = 0; size < whole.size(); ++size) {
      try {
        (void)read_picture_parameters(std::span(whole).first(size), "x");
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), Code::kCorruptFile) << size;
      }
    }
  }
}

}  // namespace
}  // namespace octet
