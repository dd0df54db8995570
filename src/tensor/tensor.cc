#include "tensor/tensor.h"

#include "base/check.h"

namespace octet {
namespace {

std::size_t at(int i) { return static_cast<std::size_t>(i); }

int axis_of(const Tensor& t, int axis) {
  const int a = axis < 0 ? axis + t.rank : axis;
  OCTET_CHECK(a >= 0 && a < t.rank, "axis %d of %s", axis, describe(t).c_str());
  return a;
}

void set_dense_strides(Tensor& t) {
  std::int64_t stride = 1;
  for (int i = t.rank - 1; i >= 0; --i) {
    t.strides[at(i)] = stride;
    stride *= t.dims[at(i)];
  }
}

// The axes that have more than one element: the strides of the others mean nothing.
Tensor without_single_axes(const Tensor& t) {
  Tensor r = t;
  r.rank = 0;
  for (int i = 0; i < t.rank; ++i) {
    if (t.dims[at(i)] == 1) continue;
    r.dims[at(r.rank)] = t.dims[at(i)];
    r.strides[at(r.rank)] = t.strides[at(i)];
    ++r.rank;
  }
  return r;
}

}  // namespace

std::int64_t Tensor::dim(int axis) const { return dims[at(axis_of(*this, axis))]; }
std::int64_t Tensor::stride(int axis) const { return strides[at(axis_of(*this, axis))]; }

std::int64_t Tensor::numel() const {
  std::int64_t n = 1;
  for (int i = 0; i < rank; ++i) n *= dims[at(i)];
  return n;
}

std::size_t Tensor::bytes() const { return static_cast<std::size_t>(numel()) * size_of(dtype); }

bool Tensor::dense() const {
  std::int64_t expected = 1;
  for (int i = rank - 1; i >= 0; --i) {
    if (dims[at(i)] != 1 && strides[at(i)] != expected) return false;
    expected *= dims[at(i)];
  }
  return true;
}

std::int64_t Tensor::rows() const { return rank == 0 ? 1 : numel() / dims[at(rank - 1)]; }

Tensor make_tensor(void* data, DType dtype, int rank, const Dims& dims) {
  Tensor t{.data = data, .dtype = dtype, .rank = rank, .dims = dims, .strides = {}};
  set_dense_strides(t);
  return t;
}

Tensor make_tensor(void* data, DType dtype, std::initializer_list<std::int64_t> dims) {
  OCTET_CHECK(dims.size() <= kMaxRank, "rank %zu", dims.size());
  Dims d{};
  std::size_t i = 0;
  for (const std::int64_t n : dims) d[i++] = n;
  return make_tensor(data, dtype, static_cast<int>(dims.size()), d);
}

Tensor slice(const Tensor& t, int axis, std::int64_t begin, std::int64_t end) {
  const int a = axis_of(t, axis);
  OCTET_CHECK(begin >= 0 && begin <= end && end <= t.dims[at(a)], "slice [%lld, %lld) of %s",
              static_cast<long long>(begin), static_cast<long long>(end), describe(t).c_str());
  Tensor r = t;
  r.data = static_cast<char*>(t.data) +
           begin * t.strides[at(a)] * static_cast<std::int64_t>(size_of(t.dtype));
  r.dims[at(a)] = end - begin;
  return r;
}

Tensor select(const Tensor& t, int axis, std::int64_t index) {
  const int a = axis_of(t, axis);
  Tensor r = slice(t, a, index, index + 1);
  for (int i = a; i + 1 < t.rank; ++i) {
    r.dims[at(i)] = r.dims[at(i + 1)];
    r.strides[at(i)] = r.strides[at(i + 1)];
  }
  --r.rank;
  return r;
}

Tensor reshape(const Tensor& t, std::initializer_list<std::int64_t> dims) {
  Tensor r = make_tensor(t.data, t.dtype, dims);
  OCTET_CHECK(r.numel() == t.numel(), "reshape %s to %s", describe(t).c_str(), describe(r).c_str());
  if (r.numel() == 0) return r;
  // Walk both shapes from the last dimension; groups of equal size must be dense inside the group.
  const Tensor from = without_single_axes(t);
  int i = from.rank - 1;
  int j = r.rank - 1;
  std::int64_t have = 1;    // elements of axis i, and of those merged with it, not yet given away
  std::int64_t stride = 1;  // their stride
  for (; j >= 0; --j) {
    if (have == 1 && i >= 0 && r.dims[at(j)] != 1) {
      have = from.dims[at(i)];
      stride = from.strides[at(i--)];
    }
    while (have % r.dims[at(j)] != 0) {
      OCTET_CHECK(i >= 0 && from.strides[at(i)] == stride * have, "reshape of the strided view %s",
                  describe(t).c_str());
      have *= from.dims[at(i--)];
    }
    r.strides[at(j)] = stride;
    stride *= r.dims[at(j)];
    have /= r.dims[at(j)];
  }
  return r;
}

Tensor permute(const Tensor& t, std::initializer_list<int> axes) {
  OCTET_CHECK(static_cast<int>(axes.size()) == t.rank, "permute of %s", describe(t).c_str());
  Tensor r = t;
  std::size_t i = 0;
  for (const int a : axes) {
    r.dims[i] = t.dim(a);
    r.strides[i] = t.stride(a);
    ++i;
  }
  return r;
}

bool same_dims(const Tensor& a, const Tensor& b) {
  if (a.rank != b.rank) return false;
  for (int i = 0; i < a.rank; ++i) {
    if (a.dims[at(i)] != b.dims[at(i)]) return false;
  }
  return true;
}

std::string describe(const Tensor& t) {
  std::string text = std::string(name_of(t.dtype)) + "[";
  for (int i = 0; i < t.rank; ++i) {
    text += (i == 0 ? "" : ", ") + std::to_string(t.dims[at(i)]);
  }
  return text + "]";
}

}  // namespace octet
