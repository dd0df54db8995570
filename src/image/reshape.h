// Pictures in the shape of another: cut, or with their edges drawn out. What "crop and resize" and
// "resize and fill" mean in other programs.
//
// Thread-safety: pure functions. Errors: none; sides are at least 1.
#pragma once

#include <cstdint>
#include <vector>

#include "image/resample.h"

namespace octet {

struct Pixels {
  PixelSize size;
  int channels = 3;
  std::vector<std::uint8_t> values;  // size.height rows of size.width pixels
};

/// The largest middle part that has the shape's ratio of sides, rounded to pixels.
[[nodiscard]] Pixels cut_to_ratio(const Pixels& picture, PixelSize shape);

/// As large as fits into `size`, in the middle; its edges continue outwards to all of `size`.
[[nodiscard]] Pixels fit_and_fill(const Pixels& picture, PixelSize size);

}  // namespace octet
