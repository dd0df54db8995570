// Written PNGs: filters against the specification's text, strips against libpng and any number of
// threads.
#include <gtest/gtest.h>
#include <png.h>
#include <zlib.h>

#include <cstdlib>
#include <cstring>
#include <random>

#include "image/image.h"
#include "image/png_filter.h"
#include "image/png_text.h"
#include "sample_image.h"

namespace octet {
namespace {

using Row = std::vector<std::uint8_t>;

Image noise(int width, int height) {
  std::mt19937 engine(7);
  Image image{width, height, Row(static_cast<std::size_t>(width) * 3 * height)};
  for (std::uint8_t& v : image.rgb) v = static_cast<std::uint8_t>(engine());
  return image;
}

// ---- filters -------------------------------------------------------------------------------

// Section 9.4 of the specification, word by word.
int paeth_predictor(int a, int b, int c) {
  const int p = a + b - c;
  const int pa = std::abs(p - a), pb = std::abs(p - b), pc = std::abs(p - c);
  if (pa <= pb && pa <= pc) return a;
  return pb <= pc ? b : c;
}

Row reference_filter(int filter, const Row& row, const Row& above) {
  Row out;
  for (std::size_t i = 0; i < row.size(); ++i) {
    const int a = i >= 3 ? row[i - 3] : 0, b = above[i], c = i >= 3 ? above[i - 3] : 0;
    const int predicted[] = {0, a, b, (a + b) / 2, paeth_predictor(a, b, c)};
    out.push_back(static_cast<std::uint8_t>(row[i] - predicted[filter]));
  }
  return out;
}

std::uint64_t cost(const Row& row) {
  std::uint64_t sum = 0;
  for (const std::uint8_t v : row) {
    sum += static_cast<std::uint64_t>(std::abs(int{static_cast<std::int8_t>(v)}));
  }
  return sum;
}

TEST(PngFilter, TheCheapestFilterOfTheSpecification) {
  std::mt19937 engine(3);
  const auto below = [&](unsigned n) { return static_cast<unsigned>(engine()) % n; };
  int taken[5] = {};
  for (int round = 0; round < 400; ++round) {
    const std::size_t size = 3 * (1 + below(40));
    Row row(size), above(size);
    // From flat over smooth to noise, so that every filter has its turn.
    const unsigned spread = 1u << below(9), slope = below(5), mixture = below(4);
    for (std::size_t i = 0; i < size; ++i) {
      above[i] = static_cast<std::uint8_t>(slope * i / 3 + below(spread));
      const unsigned left = i >= 3 ? row[i - 3] : 0u;
      const unsigned kinds[] = {below(256), above[i] + below(3), left + below(3), below(spread)};
      row[i] = static_cast<std::uint8_t>(kinds[mixture]);
    }
    const bool first = below(5) == 0;
    if (first) above.assign(size, 0);
    Row got(size + 1, 0xee);
    FilterScratch scratch(size);
    filter_row(got.data(), row.data(), first ? nullptr : above.data(), size, scratch);
    ASSERT_LT(got[0], 5);
    ++taken[got[0]];
    const Row values(got.begin() + 1, got.end());
    ASSERT_EQ(values, reference_filter(got[0], row, above)) << "filter " << int{got[0]};
    for (int other = 0; other < 5; ++other) {
      const std::uint64_t theirs = cost(reference_filter(other, row, above));
      EXPECT_TRUE(other < got[0] ? theirs > cost(values) : theirs >= cost(values)) << other;
    }
  }
  for (int filter = 0; filter < 5; ++filter) EXPECT_GT(taken[filter], 0) << filter;
}

// ---- files ---------------------------------------------------------------------------------

std::size_t libpng_size(const Image& image) {
  png_image state;
  std::memset(&state, 0, sizeof state);
  state.version = PNG_IMAGE_VERSION;
  state.width = static_cast<png_uint_32>(image.width);
  state.height = static_cast<png_uint_32>(image.height);
  state.format = PNG_FORMAT_RGB;
  png_alloc_size_t size = 0;
  EXPECT_NE(::png_image_write_to_memory(&state, nullptr, &size, 0, image.rgb.data(), 0, nullptr),
            0);
  return size;
}

// Size of what the IDAT chunks hold, 0 when they are not one whole zlib stream. libpng would not
// mind a wrong checksum at its end.
std::size_t unpacked_size(const std::vector<std::byte>& png, std::size_t most) {
  std::string stream;
  walk_png(png, "x", [&](const PngChunk& c) {
    if (c.type == "IDAT")
      stream.append(reinterpret_cast<const char*>(c.data.data()), c.data.size());
  });
  std::vector<Bytef> out(most + 1);
  uLongf size = out.size();
  uLong taken = stream.size();
  const int status =
      ::uncompress2(out.data(), &size, reinterpret_cast<const Bytef*>(stream.data()), &taken);
  return status == Z_OK && taken == stream.size() ? size : 0;
}

std::size_t count_chunks(const std::vector<std::byte>& png, std::string_view type) {
  std::size_t count = 0;
  walk_png(png, "x", [&](const PngChunk& c) { count += c.type == type ? 1 : 0; });
  return count;
}

TEST(PngEncode, StripsAreReadBackExactly) {
  constexpr int kSizes[][2] = {{2, 16384}, {16384, 3}, {700, 47}, {701, 141}, {512, 400}};
  for (const auto& [width, height] : kSizes) {
    for (const Image& image : {sample_image(width, height), noise(width, height)}) {
      const auto png = encode(image, ImageFormat::kPng);
      EXPECT_GE(count_chunks(png, "IDAT"), 3u) << "two strips and the checksum";
      EXPECT_EQ(decode_png(png, "x").rgb, image.rgb) << width << "x" << height;
      const std::size_t filtered = image.rgb.size() + static_cast<std::size_t>(height);
      EXPECT_EQ(unpacked_size(png, filtered), filtered);
    }
  }
}

TEST(PngEncode, AnyNumberOfThreadsGivesTheSameBytes) {
  const Image image = sample_image(640, 480);
  const auto one = encode(image, ImageFormat::kPng, {.threads = 1});
  EXPECT_GT(count_chunks(one, "IDAT"), 8u);
  for (const int threads : {2, 3, 7}) {
    EXPECT_EQ(encode(image, ImageFormat::kPng, {.threads = threads}), one) << threads;
  }
}

TEST(PngEncode, CutsCostNextToNothing) {
  for (const Image& image : {sample_image(640, 480), sample_image(64, 64), noise(300, 300)}) {
    const std::size_t size = encode(image, ImageFormat::kPng).size();
    EXPECT_LT(static_cast<double>(size), 1.01 * static_cast<double>(libpng_size(image)) + 64);
  }
}

// What repeats from one strip to the next is found there: rows of noise that come again.
TEST(PngEncode, AStripSeesTheOneBefore) {
  Image image = noise(1200, 1);
  for (int y = 1; y < 400; ++y) {
    image.rgb.insert(image.rgb.end(), image.rgb.begin(), image.rgb.begin() + 3600);
    image.rgb[static_cast<std::size_t>(y) * 3600] = static_cast<std::uint8_t>(y * 37);
  }
  image.height = 400;
  const auto png = encode(image, ImageFormat::kPng);
  EXPECT_EQ(decode_png(png, "x").rgb, image.rgb);
  EXPECT_LT(png.size(), 3600u + 15 * 300 + 400 * 24) << "15 strips, each without the noise";
}

}  // namespace
}  // namespace octet
