#include "image/resample.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/check.h"

namespace octet {
namespace {

constexpr double kLobes = 3.0;
constexpr int kWeightBits = 22;  // 8 bits of sample, 2 of overshoot, 32 in all

// The samples that one sample of the result is made of.
struct Window {
  int begin = 0;
  std::vector<std::int32_t> weights;
};

double sinc(double x) {
  if (x == 0.0) return 1.0;
  x *= std::numbers::pi;
  return std::sin(x) / x;
}

double lanczos(double x) { return x >= -kLobes && x < kLobes ? sinc(x) * sinc(x / kLobes) : 0.0; }

Window window_at(int index, int from, int to) {
  const double scale = static_cast<double>(from) / to;
  const double widened = std::max(scale, 1.0);
  const double reach = kLobes * widened;
  const double centre = (index + 0.5) * scale;
  const int begin = std::max(static_cast<int>(centre - reach + 0.5), 0);
  const int end = std::min(static_cast<int>(centre + reach + 0.5), from);
  std::vector<double> weights;
  double sum = 0.0;
  const double step = 1.0 / widened;
  for (int i = 0; i < end - begin; ++i) {
    weights.push_back(lanczos((i + begin - centre + 0.5) * step));
    sum += weights.back();
  }
  Window window{.begin = begin, .weights = {}};
  for (double weight : weights) {
    if (sum != 0.0) weight /= sum;
    weight *= 1 << kWeightBits;
    window.weights.push_back(static_cast<std::int32_t>(weight < 0 ? weight - 0.5 : weight + 0.5));
  }
  return window;
}

std::uint8_t to_byte(std::int32_t sum) {
  return static_cast<std::uint8_t>(std::clamp(sum >> kWeightBits, 0, 255));
}

// One axis of `from` samples becomes `to`; `inner` bytes lie between neighbours, `outer` such axes
// follow on each other.
std::vector<std::uint8_t> resize_axis(std::span<const std::uint8_t> pixels, std::size_t outer,
                                      PixelSize sides, std::size_t inner) {
  const auto [from, to] = sides;
  std::vector<std::uint8_t> out(outer * static_cast<std::size_t>(to) * inner);
  for (int t = 0; t < to; ++t) {
    const Window window = window_at(t, from, to);
    for (std::size_t o = 0; o < outer; ++o) {
      const std::size_t first =
          o * static_cast<std::size_t>(from) + static_cast<std::size_t>(window.begin);
      const std::uint8_t* source = pixels.data() + first * inner;
      std::uint8_t* target =
          out.data() + (o * static_cast<std::size_t>(to) + static_cast<std::size_t>(t)) * inner;
      for (std::size_t i = 0; i < inner; ++i) {
        std::int32_t sum = 1 << (kWeightBits - 1);
        const std::uint8_t* sample = source + i;
        for (const std::int32_t weight : window.weights) {
          sum += weight * *sample;
          sample += inner;
        }
        target[i] = to_byte(sum);
      }
    }
  }
  return out;
}

// Which pass comes first shows in the result, as there is a rounding between them. Measured on
// Pillow 13; Pillow 11 always begins with the columns.
bool rows_first(PixelSize from, PixelSize to) {
  return to.height < from.height && 2 * (from.width - to.width) < from.height - to.height;
}

}  // namespace

std::vector<std::uint8_t> resize_lanczos(std::span<const std::uint8_t> pixels, int channels,
                                         PixelSize from, PixelSize to) {
  OCTET_CHECK(from.width > 0 && from.height > 0 && to.width > 0 && to.height > 0, "%dx%d to %dx%d",
              from.width, from.height, to.width, to.height);
  const auto c = static_cast<std::size_t>(channels);
  OCTET_CHECK(pixels.size() ==
                  static_cast<std::size_t>(from.height) * static_cast<std::size_t>(from.width) * c,
              "%zu bytes for %dx%d", pixels.size(), from.width, from.height);
  std::vector<std::uint8_t> out(pixels.begin(), pixels.end());
  PixelSize size = from;
  const auto columns = [&] {
    if (size.width == to.width) return;
    out = resize_axis(out, static_cast<std::size_t>(size.height), {size.width, to.width}, c);
    size.width = to.width;
  };
  const auto rows = [&] {
    if (size.height == to.height) return;
    const std::size_t row = static_cast<std::size_t>(size.width) * c;
    out = resize_axis(out, 1, {size.height, to.height}, row);
    size.height = to.height;
  };
  if (rows_first(from, to)) {
    rows();
    columns();
  } else {
    columns();
    rows();
  }
  return out;
}

}  // namespace octet
