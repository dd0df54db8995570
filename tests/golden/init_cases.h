// The picture and the mask that init_cases.py gives to diffusers.
#pragma once

#include <algorithm>

#include "octet/request.h"

namespace octet::test {

inline InitPicture init_picture(int width = 90, int height = 70) {
  InitPicture p{.width = width, .height = height, .rgb = {}};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int c = 0; c < 3; ++c) {
        const int v = x * (7 + 2 * c) + y * (11 - 3 * c) + (x / 8 + y / 8) % 2 * 90 + c * 40;
        p.rgb.push_back(static_cast<std::uint8_t>(v % 256));
      }
    }
  }
  return p;
}

/// A white disc with a soft edge, off the centre.
inline InitMask init_mask(int width = 60, int height = 48) {
  InitMask m{.width = width, .height = height, .values = {}};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const int v = 400 - (x - 30) * (x - 30) - (y - 22) * (y - 22);
      m.values.push_back(static_cast<std::uint8_t>(std::clamp(v, 0, 255)));
    }
  }
  return m;
}

}  // namespace octet::test
