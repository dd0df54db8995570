// The row filters of PNG (W3C PNG specification, second edition, section 9) for 8-bit RGB.
//
// Thread-safety: pure functions; rows may be filtered in any order. Internal to src/image.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace octet {

/// Scratch memory of filter_row, for one thread.
struct FilterScratch {
  explicit FilterScratch(std::size_t row_bytes)
      : candidate(row_bytes), zeros(row_bytes + 3), row(row_bytes + 3), above(row_bytes + 3) {}
  std::vector<std::uint8_t> candidate, zeros;
  std::vector<std::uint8_t> row, above;  // behind one pixel of zeros
};

/// Writes 1 + row_bytes bytes: the number of the filter and the filtered row. Of the five filters
/// the one is taken whose result has the least sum of absolute values, read as signed bytes; of
/// equals the first. `above` is the row before, null for the first.
void filter_row(std::uint8_t* out, const std::uint8_t* row, const std::uint8_t* above,
                std::size_t row_bytes, FilterScratch& scratch);

}  // namespace octet
