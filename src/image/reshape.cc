#include "image/reshape.h"

#include <algorithm>
#include <cmath>

namespace octet {
namespace {

int scaled(int side, double factor) {
  return std::max(1, static_cast<int>(std::lround(side * factor)));
}

/// `size` pixels around the middle of the picture; beyond it, its nearest.
Pixels window(const Pixels& picture, PixelSize size) {
  Pixels out{.size = size, .channels = picture.channels, .values = {}};
  const auto channels = static_cast<std::size_t>(picture.channels);
  out.values.reserve(channels * static_cast<std::size_t>(size.width) *
                     static_cast<std::size_t>(size.height));
  const int left = (picture.size.width - size.width) / 2;
  const int top = (picture.size.height - size.height) / 2;
  for (int y = 0; y < size.height; ++y) {
    const int row = std::clamp(y + top, 0, picture.size.height - 1);
    for (int x = 0; x < size.width; ++x) {
      const int column = std::clamp(x + left, 0, picture.size.width - 1);
      const auto* from = picture.values.data() + (static_cast<std::size_t>(row) *
                                                      static_cast<std::size_t>(picture.size.width) +
                                                  static_cast<std::size_t>(column)) *
                                                     channels;
      out.values.insert(out.values.end(), from, from + channels);
    }
  }
  return out;
}

}  // namespace

Pixels cut_to_ratio(const Pixels& picture, PixelSize shape) {
  const double factor = std::min(static_cast<double>(picture.size.width) / shape.width,
                                 static_cast<double>(picture.size.height) / shape.height);
  return window(picture, {std::min(picture.size.width, scaled(shape.width, factor)),
                          std::min(picture.size.height, scaled(shape.height, factor))});
}

Pixels fit_and_fill(const Pixels& picture, PixelSize size) {
  const double factor = std::min(static_cast<double>(size.width) / picture.size.width,
                                 static_cast<double>(size.height) / picture.size.height);
  const PixelSize fitting = {std::min(size.width, scaled(picture.size.width, factor)),
                             std::min(size.height, scaled(picture.size.height, factor))};
  const Pixels small{
      .size = fitting,
      .channels = picture.channels,
      .values = resize_lanczos(picture.values, picture.channels, picture.size, fitting)};
  return window(small, size);
}

}  // namespace octet
