#include "image/png_filter.h"

#include <cstring>

namespace octet {
namespace {

constexpr std::size_t kPixel = 3;  // bytes: left neighbours are so far away

// A row with what surrounds it: x[i] at the centre, a to the left, b above, c above to the left.
struct Neighbours {
  const std::uint8_t *x, *a, *b, *c;
};

int distance(int p, int q) { return p > q ? p - q : q - p; }

// Written without branches, so that the compiler makes vectors of it.
std::uint8_t paeth(int a, int b, int c) {
  const int to_a = distance(b, c);
  const int to_b = distance(a, c);
  const int to_c = distance(a + b, 2 * c);
  const int b_or_c = to_b <= to_c ? b : c;
  return static_cast<std::uint8_t>(to_a <= to_b && to_a <= to_c ? a : b_or_c);
}

template <typename Predict>
void subtract(std::uint8_t* out, const Neighbours& n, std::size_t size, const Predict& predict) {
  for (std::size_t i = 0; i < size; ++i) {
    out[i] = static_cast<std::uint8_t>(n.x[i] - predict(n.a[i], n.b[i], n.c[i]));
  }
}

void apply(int filter, std::uint8_t* out, const Neighbours& n, std::size_t size) {
  switch (filter) {
    case 0:
      std::memcpy(out, n.x, size);
      break;
    case 1:
      subtract(out, n, size, [](int a, int, int) { return a; });
      break;
    case 2:
      subtract(out, n, size, [](int, int b, int) { return b; });
      break;
    case 3:
      subtract(out, n, size, [](int a, int b, int) { return (a + b) / 2; });
      break;
    default:
      subtract(out, n, size, [](int a, int b, int c) { return int{paeth(a, b, c)}; });
  }
}

std::uint32_t cost(const std::uint8_t* bytes, std::size_t size) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < size; ++i) {
    const std::uint8_t v = bytes[i];
    sum += v < 128 ? v : 256u - v;
  }
  return sum;
}

}  // namespace

void filter_row(std::uint8_t* out, const std::uint8_t* row, const std::uint8_t* above,
                std::size_t row_bytes, FilterScratch& scratch) {
  constexpr int kFilters = 5;
  std::memcpy(scratch.row.data() + kPixel, row, row_bytes);
  if (above != nullptr) std::memcpy(scratch.above.data() + kPixel, above, row_bytes);
  const std::uint8_t* up = above != nullptr ? scratch.above.data() : scratch.zeros.data();
  const Neighbours n{scratch.row.data() + kPixel, scratch.row.data(), up + kPixel, up};
  std::uint32_t least = 0;
  for (int filter = 0; filter < kFilters; ++filter) {
    apply(filter, scratch.candidate.data(), n, row_bytes);
    const std::uint32_t sum = cost(scratch.candidate.data(), row_bytes);
    if (filter > 0 && sum >= least) continue;
    least = sum;
    out[0] = static_cast<std::uint8_t>(filter);
    std::memcpy(out + 1, scratch.candidate.data(), row_bytes);
  }
}

}  // namespace octet
