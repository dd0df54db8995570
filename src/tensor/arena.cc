#include "tensor/arena.h"

#include <algorithm>
#include <cstdlib>

#include "base/format.h"
#include "octet/error.h"

namespace octet {
namespace {
constexpr std::size_t kAlignment = 256;
}

Buffer allocate_host(std::size_t size) {
  constexpr std::size_t kHostAlignment = 64;
  const std::size_t rounded =
      (std::max<std::size_t>(size, 1) + kHostAlignment - 1) / kHostAlignment * kHostAlignment;
  void* data = rounded < size ? nullptr : std::aligned_alloc(kHostAlignment, rounded);
  if (data == nullptr) {
    throw Error(Code::kOutOfMemory, format("host memory: %zu bytes could not be allocated", size));
  }
  return Buffer(data, size, [](void* p) { std::free(p); });
}

Tensor Arena::tensor(DType dtype, int rank, const Dims& dims) {
  Tensor t = make_tensor(nullptr, dtype, rank, dims);
  const std::size_t begin = (used_ + kAlignment - 1) / kAlignment * kAlignment;
  const std::size_t end = begin + t.bytes();
  if (end > buffer_.size()) {
    throw Error(Code::kOutOfMemory, format("activations: %zu bytes needed for %s, %zu planned", end,
                                           describe(t).c_str(), buffer_.size()));
  }
  t.data = static_cast<char*>(buffer_.data()) + begin;
  used_ = end;
  peak_ = std::max(peak_, used_);
  return t;
}

Tensor Arena::tensor(DType dtype, std::initializer_list<std::int64_t> dims) {
  const Tensor t = make_tensor(nullptr, dtype, dims);
  return tensor(dtype, t.rank, t.dims);
}

}  // namespace octet
