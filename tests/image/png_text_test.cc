// Texts of PNG files: writing, reading of all three chunk kinds, hostile chunks.
#include "image/png_text.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include "octet/error.h"
#include "sample_image.h"

namespace octet {
namespace {

using Bytes = std::vector<std::byte>;

std::string packed(const std::string& text) {
  uLongf size = ::compressBound(text.size());
  std::string out(size, '\0');
  ::compress(reinterpret_cast<Bytef*>(out.data()), &size,
             reinterpret_cast<const Bytef*>(text.data()), text.size());
  out.resize(size);
  return out;
}

std::string u32(std::size_t value) {
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift));
  return out;
}

// A picture with one more chunk, of any kind, before its pixels.
Bytes with_chunk(const std::string& type, const std::string& data) {
  const std::string body = type + data;
  const uLong crc =
      ::crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size()));
  const std::string chunk = u32(data.size()) + body + u32(crc);
  Bytes png = encode(sample_image(4, 4), ImageFormat::kPng);
  const auto* begin = reinterpret_cast<const std::byte*>(chunk.data());
  png.insert(png.begin() + 33, begin, begin + chunk.size());
  return png;
}

std::string text_of(const Bytes& png) {
  return read_png_parameters(png, "x.png").value_or("(none)");
}

TEST(PngText, WrittenTextsComeBack) {
  const std::string unicode = "caf\xc3\xa9 \xf0\x9f\x8d\x8e\nSteps: 3";
  const Bytes png = encode(sample_image(9, 4), ImageFormat::kPng,
                           {.texts = {{"parameters", unicode}, {"plain", "a, b\nc"}, {"e", ""}}});
  const std::vector<PngText> texts = read_png_texts(png, "x.png");
  ASSERT_EQ(texts.size(), 3u);
  EXPECT_EQ(texts[0].text, unicode);
  EXPECT_EQ(texts[1].keyword, "plain");
  EXPECT_EQ(texts[1].text, "a, b\nc");
  EXPECT_EQ(texts[2].text, "");
  EXPECT_EQ(text_of(png), unicode);
  EXPECT_EQ(text_of(encode(sample_image(9, 4), ImageFormat::kPng)), "(none)");
}

TEST(PngText, ReadsEveryKindOfChunk) {
  const std::string nul(1, '\0'), key = "parameters" + nul;
  EXPECT_EQ(text_of(with_chunk("tEXt", key + "caf\xe9")), "caf\xc3\xa9");  // Latin-1
  EXPECT_EQ(text_of(with_chunk("zTXt", key + nul + packed("caf\xe9"))), "caf\xc3\xa9");
  EXPECT_EQ(text_of(with_chunk("iTXt", key + nul + nul + "en" + nul + "p" + nul + "caf\xc3\xa9")),
            "caf\xc3\xa9");
  EXPECT_EQ(text_of(with_chunk("iTXt", key + "\x01" + nul + nul + nul + packed("caf\xc3\xa9"))),
            "caf\xc3\xa9");
}

void expect_corrupt(const Bytes& png) {
  try {
    (void)read_png_texts(png, "x.png");
    ADD_FAILURE() << "accepted";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::kCorruptFile) << e.what();
  }
}

TEST(PngText, MalformedChunksAreRefused) {
  const std::string nul(1, '\0'), key = "parameters" + nul;
  expect_corrupt(with_chunk("tEXt", "no terminator"));
  expect_corrupt(with_chunk("zTXt", key));
  expect_corrupt(with_chunk("zTXt", key + "\x07" + packed("x")));
  expect_corrupt(with_chunk("zTXt", key + nul + "garbage"));
  const std::string long_text = packed(std::string(500, 'a') + "bcd");
  expect_corrupt(with_chunk("zTXt", key + nul + long_text.substr(0, long_text.size() - 6)));
  expect_corrupt(with_chunk("iTXt", key));
  expect_corrupt(with_chunk("iTXt", key + nul));
  expect_corrupt(with_chunk("iTXt", key + "\x02" + nul + nul + nul + "x"));
  expect_corrupt(with_chunk("iTXt", key + "\x01\x01" + nul + nul + packed("x")));
  expect_corrupt(with_chunk("iTXt", key + nul + nul + "no language end"));
}

TEST(PngText, BombsAreRefused) {
  const std::string nul(1, '\0'), key = "parameters" + nul;
  expect_corrupt(with_chunk("zTXt", key + nul + packed(std::string(64u << 20, 'a'))));
  expect_corrupt(with_chunk("zTXt", key + nul + packed(std::string(kMaxPngText + 1, 'a'))));
  EXPECT_EQ(text_of(with_chunk("zTXt", key + nul + packed(std::string(1000000, 'a')))).size(),
            1000000u);
  expect_corrupt(with_chunk("tEXt", key + std::string(kMaxPngText + 1, 'a')));
  const std::vector<PngText> many(kMaxPngTexts + 1, PngText{"k", "v"});
  expect_corrupt(insert_png_texts(encode(sample_image(4, 4), ImageFormat::kPng), many));
}

TEST(PngText, WhatCannotBeWrittenIsRefused) {
  const Image image = sample_image(2, 2);
  for (const PngText& text :
       {PngText{"", "x"}, PngText{std::string(80, 'k'), "x"}, PngText{"k\n", "x"},
        PngText{"k", std::string("a\0b", 3)}, PngText{"k", std::string(kMaxPngText + 1, 'a')}}) {
    EXPECT_THROW((void)encode(image, ImageFormat::kPng, {.texts = {text}}), Error);
  }
}

}  // namespace
}  // namespace octet
