#include "tensor/arena.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "base/format.h"
#include "octet/error.h"

namespace octet {
namespace {
constexpr std::size_t kAlignment = 256;

// Bytes of a dense tensor, or the largest number where they do not fit one.
std::size_t bytes_of(const Tensor& t) {
  std::size_t bytes = size_of(t.dtype);
  for (int i = 0; i < t.rank; ++i) {
    const auto dim = static_cast<std::size_t>(t.dims[static_cast<std::size_t>(i)]);
    if (__builtin_mul_overflow(bytes, dim, &bytes)) return SIZE_MAX;
  }
  return bytes;
}
}  // namespace

Buffer allocate_host(std::size_t size) {
  constexpr std::size_t kLine = 64, kHugePage = std::size_t{2} << 20;
  const bool huge = size >= kHugePage;
  const std::size_t rounded = (std::max<std::size_t>(size, 1) + kLine - 1) / kLine * kLine;
  void* data = nullptr;
  if (rounded < size || ::posix_memalign(&data, huge ? kHugePage : kLine, rounded) != 0) {
    throw Error(Code::kOutOfMemory, format("host memory: %zu bytes could not be allocated", size));
  }
  // Half of the time of loading gigabytes went into 4 KiB page faults. A hint: it may fail.
  if (huge) (void)::madvise(data, rounded, MADV_HUGEPAGE);
  return Buffer(data, size, [](void* p) { std::free(p); });
}

Tensor Arena::tensor(DType dtype, int rank, const Dims& dims) {
  Tensor t = make_tensor(nullptr, dtype, rank, dims);
  const std::size_t begin = (used_ + kAlignment - 1) / kAlignment * kAlignment;
  std::size_t end = 0;
  if (__builtin_add_overflow(begin, bytes_of(t), &end)) end = SIZE_MAX;
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
