#include "backend/op_case.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace octet {
namespace {

constexpr std::size_t kGuard = 192;      // bytes on both sides
constexpr unsigned char kPoison = 0xFF;  // a NaN in every float format, -1 as an integer

std::size_t u(std::int64_t i) { return static_cast<std::size_t>(i); }

// Calls f(byte offset from t.data) for every element in row-major order.
template <typename F>
void for_elements(const Tensor& t, F f) {
  Dims index{};
  const auto size = static_cast<std::int64_t>(size_of(t.dtype));
  for (std::int64_t n = t.numel(); n > 0; --n) {
    std::int64_t at = 0;
    for (int i = 0; i < t.rank; ++i) at += index[u(i)] * t.strides[u(i)];
    f(at * size);
    for (int i = t.rank - 1; i >= 0; --i) {
      if (++index[u(i)] < t.dims[u(i)]) break;
      index[u(i)] = 0;
    }
  }
}

double decode(DType dtype, const void* p) {
  if (dtype == DType::kI32) {
    std::int32_t v;
    std::memcpy(&v, p, sizeof v);
    return v;
  }
  if (dtype == DType::kU8) return *static_cast<const unsigned char*>(p);
  float v = 0;
  decode_to_f32(dtype, p, &v, 1);
  return static_cast<double>(v);
}

}  // namespace

Values values_of(const Tensor& t) {
  Values values;
  for_elements(
      t, [&](std::int64_t at) { values.push_back(decode(t.dtype, t.as<const char>() + at)); });
  return values;
}

Values values_of(const HostWeight& w, bool round_bf16) {
  std::size_t count = 1;
  for (const std::int64_t d : w.dims) count *= u(d);
  std::vector<float> codes(count);
  decode_to_f32(w.dtype, w.data.data(), codes.data(), count);
  Values values;
  const std::size_t per_row = count / u(w.dims[0]);
  const std::size_t window = per_row / u(w.dims[1]);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t row = i / per_row;
    const std::size_t column = i % per_row / window;
    float scale = 1;
    if (w.scale_kind == ScaleKind::kTensor) scale = w.scale[0];
    if (w.scale_kind == ScaleKind::kRow) scale = w.scale[row];
    if (w.scale_kind == ScaleKind::kBlock) {
      const std::size_t blocks = (u(w.dims[1]) + u(w.block) - 1) / u(w.block);
      scale = w.scale[row / u(w.block) * blocks + column / u(w.block)];
    }
    if (round_bf16) {
      values.push_back(static_cast<double>(bf16_to_f32(f32_to_bf16(codes[i] * scale))));
    } else {
      values.push_back(static_cast<double>(codes[i]) * static_cast<double>(scale));
    }
  }
  return values;
}

Tensor Bench::place(DType dtype, std::initializer_list<std::int64_t> dims, std::int64_t row_gap,
                    bool output) {
  Tensor t = make_tensor(nullptr, dtype, dims);
  if (options_.aligned) row_gap = (row_gap + 31) / 32 * 32;
  if (t.rank > 1 && row_gap > 0) {
    std::int64_t stride = t.dim(-1) + row_gap;
    for (int i = t.rank - 2; i >= 0; --i) {
      t.strides[u(i)] = stride;
      stride *= t.dims[u(i)];
    }
  }
  const std::int64_t rows = t.rows();
  const std::int64_t span = t.rank > 1 && row_gap > 0 ? rows * (t.dim(-1) + row_gap) : t.numel();
  Block& block = blocks_.emplace_back();
  const std::size_t skew = options_.aligned ? 64 : size_of(dtype) * 3;
  block.memory = options_.allocate(2 * kGuard + 64 + u(span) * size_of(dtype));
  std::memset(block.memory.data(), kPoison, block.memory.size());
  t.data = static_cast<unsigned char*>(block.memory.data()) + kGuard + skew;
  block.view = t;
  block.output = output;
  return t;
}

Tensor Bench::input(DType dtype, std::initializer_list<std::int64_t> dims, Layout layout) {
  const Tensor t = place(dtype, dims, layout.row_gap, false);
  for_elements(t, [&](std::int64_t at) {
    const float x = uniform(layout.low, layout.high);
    encode_from_f32(dtype, &x, t.as<char>() + at, 1);
  });
  blocks_.back().before = blocks_.back().bytes();
  return t;
}

Tensor Bench::in_place(DType dtype, std::initializer_list<std::int64_t> dims, Layout layout) {
  const Tensor t = input(dtype, dims, layout);
  blocks_.back().output = true;
  return t;
}

Tensor Bench::output(DType dtype, std::initializer_list<std::int64_t> dims, std::int64_t row_gap) {
  const Tensor t = place(dtype, dims, row_gap, true);
  blocks_.back().before = blocks_.back().bytes();
  return t;
}

Tensor Bench::ints(std::initializer_list<std::int64_t> dims, int below) {
  const Tensor t = place(DType::kI32, dims, 0, false);
  for_elements(t, [&](std::int64_t at) {
    const std::int32_t v = std::uniform_int_distribution<std::int32_t>(0, below - 1)(random_);
    std::memcpy(t.as<char>() + at, &v, sizeof v);
  });
  blocks_.back().before = blocks_.back().bytes();
  return t;
}

Activation Bench::fp8_output(std::initializer_list<std::int64_t> dims, bool dynamic, float scale) {
  Activation a;
  a.data = output(DType::kF8E4M3, dims);
  if (!dynamic) {
    a.scale = place(DType::kF32, {}, 0, false);
    *a.scale.as<float>() = scale;
    blocks_.back().before = blocks_.back().bytes();
    return a;
  }
  const std::vector<std::int64_t> d(dims);
  if (d.size() == 2) a.scale = output(DType::kF32, {d[0]});
  if (d.size() == 3) a.scale = output(DType::kF32, {d[0], d[1]});
  return a;
}

HostWeight Bench::weight(DType dtype, std::vector<std::int64_t> dims, ScaleKind scale, bool bias) {
  HostWeight w;
  w.name = "test.weight";
  w.dtype = dtype;
  w.dims = std::move(dims);
  std::size_t count = 1;
  for (const std::int64_t d : w.dims) count *= u(d);
  w.data.resize(count * size_of(dtype));
  const float range = is_fp8(dtype) && scale != ScaleKind::kNone ? 448.0f : 1.0f;
  for (std::size_t i = 0; i < count; ++i) {
    const float x = uniform(-range, range);
    encode_from_f32(dtype, &x, w.data.data() + i * size_of(dtype), 1);
  }
  w.scale_kind = scale;
  std::size_t scales = scale == ScaleKind::kNone     ? 0
                       : scale == ScaleKind::kTensor ? 1
                                                     : u(w.dims[0]);
  if (scale == ScaleKind::kBlock) {
    w.block = 20;
    scales = ((u(w.dims[0]) + 19) / 20) * ((u(w.dims[1]) + 19) / 20);
  }
  for (std::size_t i = 0; i < scales; ++i) w.scale.push_back(uniform(0.5f, 2.0f) / range);
  if (bias) {
    for (std::int64_t i = 0; i < w.dims[0]; ++i) w.bias.push_back(uniform(-1, 1));
  }
  return w;
}

void Bench::expect(const Tensor& found, const Values& wanted, double relative, double absolute) {
  expect(found, wanted, each(wanted, [=](double x) { return absolute + relative * std::fabs(x); }));
}

void Bench::expect(const Tensor& found, const Values& wanted, const Values& tolerance) {
  backend_.synchronize();
  const Values values = values_of(found);
  ASSERT_EQ(values.size(), wanted.size());
  const double format = found.dtype == DType::kBF16  ? 0x1p-8
                        : found.dtype == DType::kF16 ? 0x1p-11
                                                     : 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double allowed = tolerance[i] + format * std::fabs(wanted[i]);
    const bool good = std::fabs(values[i] - wanted[i]) <= allowed;
    ASSERT_TRUE(good) << describe(found) << " element " << i << ": found " << values[i]
                      << ", wanted " << wanted[i] << " +- " << allowed;
  }
}

void Bench::expect_fp8(const Activation& found, const Values& wanted, double tolerance,
                       double bound) {
  backend_.synchronize();
  const Values codes = values_of(found.data);
  const Values scales = values_of(found.scale);
  const std::size_t n = u(found.data.dim(-1));
  ASSERT_EQ(codes.size(), wanted.size());
  for (std::size_t r = 0; r < codes.size() / n; ++r) {
    const double scale = scales[scales.size() == 1 ? 0 : r];
    double largest = 0;
    for (std::size_t i = 0; i < n; ++i) largest = std::max(largest, std::fabs(wanted[r * n + i]));
    if (scales.size() > 1) {
      const double slack = tolerance / 448 + scale * 1e-6;
      ASSERT_GE(scale, std::max(largest, 1e-12) / 448 - slack) << "row " << r;
      ASSERT_LE(scale, std::max({largest, bound, 1e-12}) / 448 + slack) << "row " << r;
    }
    for (std::size_t i = 0; i < n; ++i) {
      const double exact = std::clamp(wanted[r * n + i], -448 * scale, 448 * scale);
      // Half a step: 2^-4 of a normal value, 2^-10 of the scale for a subnormal one.
      const double step = std::max(std::fabs(exact) * 0x1p-4, scale * 0x1p-10);
      ASSERT_LE(std::fabs(codes[r * n + i] * scale - exact), step * 1.0001 + tolerance)
          << "row " << r << " column " << i << " wanted " << exact;
    }
  }
}

std::vector<unsigned char> Bench::finish() {
  backend_.synchronize();
  std::vector<unsigned char> result;
  for (Block& block : blocks_) {
    const std::vector<unsigned char> bytes = block.bytes();
    std::vector<unsigned char> rest = bytes;
    if (block.output) {
      const auto start =
          block.view.as<unsigned char>() - static_cast<unsigned char*>(block.memory.data());
      const std::size_t size = size_of(block.view.dtype);
      for_elements(block.view, [&](std::int64_t at) {
        for (std::size_t i = u(start + at); i < u(start + at) + size; ++i) {
          result.push_back(bytes[i]);
          rest[i] = block.before[i];
        }
      });
    }
    EXPECT_EQ(rest == block.before, true)
        << (block.output ? "wrote outside of the output " : "changed the input ")
        << describe(block.view);
  }
  return result;
}

}  // namespace octet
