// copy, fill and to_u8.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "backend/cpu/cpu_ops.h"
#include "base/check.h"
#include "tensor/float_formats.h"

namespace octet::cpu {
namespace {

// Elements of any stride between a tensor and a dense buffer of the same dtype.
template <typename T>
void gather(const void* src, std::int64_t step, void* dst, std::int64_t n) {
  const auto* p = static_cast<const T*>(src);
  for (std::int64_t i = 0; i < n; ++i) static_cast<T*>(dst)[i] = p[i * step];
}
template <typename T>
void scatter(const void* src, void* dst, std::int64_t step, std::int64_t n) {
  auto* p = static_cast<T*>(dst);
  for (std::int64_t i = 0; i < n; ++i) p[i * step] = static_cast<const T*>(src)[i];
}
void gather(DType dtype, const void* src, std::int64_t step, void* dst, std::int64_t n) {
  switch (size_of(dtype)) {
    case 1:
      return gather<std::uint8_t>(src, step, dst, n);
    case 2:
      return gather<std::uint16_t>(src, step, dst, n);
    default:
      return gather<std::uint32_t>(src, step, dst, n);
  }
}
void scatter(DType dtype, const void* src, void* dst, std::int64_t step, std::int64_t n) {
  switch (size_of(dtype)) {
    case 1:
      return scatter<std::uint8_t>(src, dst, step, n);
    case 2:
      return scatter<std::uint16_t>(src, dst, step, n);
    default:
      return scatter<std::uint32_t>(src, dst, step, n);
  }
}

}  // namespace

void CpuBackend::copy(const CopyArgs& a) {
  const std::int64_t n = a.dst.rank == 0 ? 1 : a.dst.dim(-1);
  const std::int64_t in_step = a.src.rank == 0 ? 1 : a.src.stride(-1);
  const std::int64_t out_step = a.dst.rank == 0 ? 1 : a.dst.stride(-1);
  const std::size_t count = static_cast<std::size_t>(n);
  for_rows(n == 0 ? 0 : a.dst.rows(), n, [&](std::int64_t begin, std::int64_t end, int worker) {
    float* in = scratch(worker).floats(Scratch::kRow, n);
    float* middle = scratch(worker).floats(Scratch::kExtra, n);
    float* out = scratch(worker).floats(Scratch::kRow2, n);
    Rows sources(a.src);
    Rows rows(a.dst);
    for (std::int64_t r = begin; r < end; ++r) {
      const void* src = sources.at(r);
      if (in_step != 1 && n > 1) {
        gather(a.src.dtype, src, in_step, in, n);
        src = in;
      }
      void* row = rows.at(r);
      void* dst = out_step != 1 && n > 1 ? static_cast<void*>(out) : row;
      if (a.src.dtype == a.dst.dtype) {
        if (dst == row) {
          std::memcpy(row, src, count * size_of(a.dst.dtype));
        } else {
          scatter(a.dst.dtype, src, row, out_step, n);
        }
        continue;
      }
      kernels_.to_f32(a.src.dtype, src, middle, count);
      if (a.dst.dtype == DType::kF8E5M2) {
        encode_from_f32(DType::kF8E5M2, middle, dst, count);
      } else {
        kernels_.from_f32(a.dst.dtype, middle, dst, count);
      }
      if (dst != row) scatter(a.dst.dtype, out, row, out_step, n);
    }
  });
}

void CpuBackend::fill(const FillArgs& a) {
  const std::int64_t n = a.dst.rank == 0 ? 1 : a.dst.dim(-1);
  unsigned char code[4];
  encode_from_f32(a.dst.dtype, &a.value, code, 1);
  const std::size_t size = size_of(a.dst.dtype);
  const std::int64_t step =
      (a.dst.rank == 0 ? 1 : a.dst.stride(-1)) * static_cast<std::int64_t>(size);
  const std::int64_t rows = n == 0 ? 0 : a.dst.rows();
  Rows cursor(a.dst);
  for (std::int64_t r = 0; r < rows; ++r) {
    auto* p = static_cast<unsigned char*>(cursor.at(r));
    for (std::int64_t i = 0; i < n; ++i) std::memcpy(p + i * step, code, size);
  }
}

void CpuBackend::to_u8(const ToU8Args& a) {
  const std::int64_t n = a.src.numel();
  constexpr std::int64_t kChunk = 4096;
  for_rows((n + kChunk - 1) / kChunk, kChunk,
           [&](std::int64_t begin, std::int64_t end, int worker) {
             float* x = scratch(worker).floats(Scratch::kRow, kChunk);
             for (std::int64_t c = begin; c < end; ++c) {
               const std::int64_t at = c * kChunk;
               const std::int64_t count = std::min(kChunk, n - at);
               kernels_.to_f32(
                   a.src.dtype,
                   a.src.as<const char>() + at * static_cast<std::int64_t>(size_of(a.src.dtype)), x,
                   static_cast<std::size_t>(count));
               std::uint8_t* dst = a.dst.as<std::uint8_t>() + at;
               for (std::int64_t i = 0; i < count; ++i) {
                 // A NaN becomes 0: the comparison is written so that it fails the first test.
                 const float unit = x[i] > -1.0f ? std::min(x[i] / 2 + 0.5f, 1.0f) : 0.0f;
                 const float level = unit * 255.0f;
                 dst[i] = static_cast<std::uint8_t>(
                     a.rounding == Rounding::kNearest ? std::nearbyint(level) : level);
               }
             }
           });
}

}  // namespace octet::cpu
