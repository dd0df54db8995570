#include <algorithm>
#include <cmath>
#include <vector>

#include "backend/backend.h"

namespace octet {

bool Backend::all_finite(const Tensor& t) {
  std::vector<float> values(static_cast<std::size_t>(t.numel()));
  download(std::as_writable_bytes(std::span(values)), t);
  return std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); });
}

}  // namespace octet
