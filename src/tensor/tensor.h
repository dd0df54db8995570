// Tensor: a non-owning view of up to four dimensions.
//
// Row-major; strides are in elements and may skip (slices of a joint buffer), so that q, k and v
// can be slices of one product and no concat is needed. The last dimension is dense unless an
// op's contract says otherwise (only `copy` reads permuted views). Images are NHWC, latents are
// NCHW as the noise is drawn.
//
// Ownership: none; a Buffer or an Arena keeps the memory alive. Thread-safety: a plain value.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>

#include "tensor/dtype.h"

namespace octet {

inline constexpr int kMaxRank = 4;
using Dims = std::array<std::int64_t, kMaxRank>;

struct Tensor {
  void* data = nullptr;
  DType dtype = DType::kF32;
  int rank = 0;
  Dims dims{};     // the first `rank` are used
  Dims strides{};  // in elements

  [[nodiscard]] explicit operator bool() const { return data != nullptr; }
  /// Size of dimension `axis`; negative counts from the end.
  [[nodiscard]] std::int64_t dim(int axis) const;
  [[nodiscard]] std::int64_t stride(int axis) const;
  [[nodiscard]] std::int64_t numel() const;
  /// Bytes of the elements if stored densely.
  [[nodiscard]] std::size_t bytes() const;
  /// True when elements lie row-major without gaps.
  [[nodiscard]] bool dense() const;
  /// Product of all dimensions but the last.
  [[nodiscard]] std::int64_t rows() const;

  template <typename T>
  [[nodiscard]] T* as() const {
    return static_cast<T*>(data);
  }
};

/// A dense view.
[[nodiscard]] Tensor make_tensor(void* data, DType dtype, std::initializer_list<std::int64_t> dims);
[[nodiscard]] Tensor make_tensor(void* data, DType dtype, int rank, const Dims& dims);
/// Elements [begin, end) of one axis; the rank stays.
[[nodiscard]] Tensor slice(const Tensor& t, int axis, std::int64_t begin, std::int64_t end);
/// One index of an axis; the axis disappears.
[[nodiscard]] Tensor select(const Tensor& t, int axis, std::int64_t index);
/// The same elements under other dimensions. Splitting or merging dimensions of a strided view is
/// possible where the strides allow it, else this is an internal error.
[[nodiscard]] Tensor reshape(const Tensor& t, std::initializer_list<std::int64_t> dims);
/// Axes in another order, for `copy`.
[[nodiscard]] Tensor permute(const Tensor& t, std::initializer_list<int> axes);
[[nodiscard]] bool same_dims(const Tensor& a, const Tensor& b);
/// "f32[2, 77, 768]" for messages.
[[nodiscard]] std::string describe(const Tensor& t);

}  // namespace octet
