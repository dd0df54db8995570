// Pictures for the tests of src/image.
#pragma once

#include <random>

#include "image/image.h"

namespace octet {

/// A smooth gradient with a little noise.
inline Image sample_image(int width, int height, unsigned seed = 1) {
  std::mt19937 engine(seed);
  Image image{width, height, {}};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const auto noise = static_cast<int>(engine() % 8);
      image.rgb.push_back(static_cast<std::uint8_t>((x * 200) / width + noise));
      image.rgb.push_back(static_cast<std::uint8_t>((y * 200) / height + noise));
      image.rgb.push_back(static_cast<std::uint8_t>(((x + y) * 100) / (width + height) + noise));
    }
  }
  return image;
}

}  // namespace octet
