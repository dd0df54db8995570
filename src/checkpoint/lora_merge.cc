#include "checkpoint/lora_merge.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "tensor/float_formats.h"

namespace octet {
namespace {

// Finaliser of splitmix64: every bit of the result depends on every bit of the input.
std::uint64_t mix(std::uint64_t x) {
  x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9ull;
  x = (x ^ x >> 27) * 0x94D049BB133111EBull;
  return x ^ x >> 31;
}

std::uint64_t hash_of(const std::string& name) {
  std::uint64_t h = 0;
  for (const char c : name) h = mix(h + 0x9E3779B97F4A7C15ull + static_cast<unsigned char>(c));
  return h;
}

// In [0, 1), 24 bits.
float unit(std::uint64_t seed) { return static_cast<float>(mix(seed) >> 40) * 0x1p-24f; }

float largest_of(DType dtype) { return dtype == DType::kF8E5M2 ? kE5M2Max : kE4M3Max; }

/// Codes of one short type in a buffer; magnitude codes ascend with the values they stand for.
class Codes {
 public:
  Codes(DType dtype, std::size_t count) : dtype_(dtype), bytes_(count * size_of(dtype)) {}
  void encode(const std::vector<float>& values) {
    encode_from_f32(dtype_, values.data(), bytes_.data(), values.size());
  }
  void decode(std::vector<float>& values) const {
    decode_to_f32(dtype_, bytes_.data(), values.data(), values.size());
  }
  [[nodiscard]] unsigned at(std::size_t i) const {
    if (size_of(dtype_) == 1) return std::to_integer<unsigned>(bytes_[i]);
    return std::to_integer<unsigned>(bytes_[2 * i]) | std::to_integer<unsigned>(bytes_[2 * i + 1])
                                                          << 8;
  }
  void set(std::size_t i, unsigned code) {
    const std::size_t size = size_of(dtype_);
    for (std::size_t b = 0; b < size; ++b) {
      bytes_[size * i + b] = static_cast<std::byte>(code >> 8 * b);
    }
  }
  [[nodiscard]] const std::vector<std::byte>& bytes() const { return bytes_; }

 private:
  DType dtype_;
  std::vector<std::byte> bytes_;
};

// The code on the other side of `exact`, seen from the nearest one.
unsigned neighbour(DType dtype, unsigned code, float value, float exact) {
  const unsigned sign = 1u << (8 * size_of(dtype) - 1);
  const unsigned magnitude = code & (sign - 1);
  if (magnitude == 0) return (exact < 0 ? sign : 0) | 1;
  const bool away = exact < 0 ? exact < value : exact > value;
  return (code & sign) | (away ? magnitude + 1 : magnitude - 1);
}

class Merger {
 public:
  Merger(HostWeight& weight, std::span<const LowRankChange> changes)
      : w_(weight),
        changes_(changes),
        rows_(weight.dims[0]),
        columns_(static_cast<std::int64_t>(weight.data.size() / size_of(weight.dtype)) / rows_),
        seed_(hash_of(weight.name)) {
    for (const LowRankChange& c : changes) {
      OCTET_CHECK(c.first_row >= 0 && c.first_row + c.rows <= rows_ &&
                      c.up.size() == static_cast<std::size_t>(c.rows * c.rank) &&
                      c.down.size() == static_cast<std::size_t>(c.rank * columns_),
                  "low-rank change of %s", w_.name.c_str());
    }
  }

  RoundingError run(ThreadPool& pool) {
    std::vector<float> scales(is_fp8(w_.dtype) ? static_cast<std::size_t>(rows_) : 0);
    std::vector<RoundingError> errors(static_cast<std::size_t>(rows_));
    pool.parallel_for(rows_, [&](std::int64_t row, int) {
      const auto r = static_cast<std::size_t>(row);
      if (!scales.empty()) scales[r] = old_row_scale(row);
      if (!changed(row) && w_.scale_kind != ScaleKind::kBlock) return;
      std::vector<float> values = exact(row);
      if (!scales.empty()) scales[r] = fitting_scale(scales[r], values);
      errors[r] = store(row, values, scales.empty() ? 1.0f : scales[r]);
    });
    if (!scales.empty()) {
      w_.scale_kind = ScaleKind::kRow;
      w_.scale = std::move(scales);
      w_.block = 0;
    }
    RoundingError sum;
    for (const RoundingError& e : errors) sum.error += e.error, sum.value += e.value;
    return sum;
  }

 private:
  [[nodiscard]] bool changed(std::int64_t row) const {
    return std::any_of(changes_.begin(), changes_.end(), [&](const LowRankChange& c) {
      return row >= c.first_row && row < c.first_row + c.rows;
    });
  }

  [[nodiscard]] std::byte* data(std::int64_t row) const {
    return w_.data.data() + static_cast<std::size_t>(row * columns_) * size_of(w_.dtype);
  }

  // 0 where blocks have scales of their own.
  [[nodiscard]] float old_row_scale(std::int64_t row) const {
    switch (w_.scale_kind) {
      case ScaleKind::kNone:
        return 1;
      case ScaleKind::kTensor:
        return w_.scale[0];
      case ScaleKind::kRow:
        return w_.scale[static_cast<std::size_t>(row)];
      case ScaleKind::kBlock:
        break;
    }
    return 0;
  }

  [[nodiscard]] float scale_at(std::int64_t row, std::int64_t column) const {
    if (w_.scale_kind != ScaleKind::kBlock) return old_row_scale(row);
    const std::int64_t across = (columns_ + w_.block - 1) / w_.block;
    return w_.scale[static_cast<std::size_t>(row / w_.block * across + column / w_.block)];
  }

  // The changes first, all together, then the weight: small numbers before large ones.
  [[nodiscard]] std::vector<float> exact(std::int64_t row) const {
    const auto count = static_cast<std::size_t>(columns_);
    std::vector<float> change(count), values(count);
    for (const LowRankChange& c : changes_) {
      if (row < c.first_row || row >= c.first_row + c.rows) continue;
      const float* up = c.up.data() + (row - c.first_row) * c.rank;
      for (std::int64_t k = 0; k < c.rank; ++k) {
        const float* down = c.down.data() + k * columns_;
        for (std::size_t i = 0; i < count; ++i) change[i] += up[k] * down[i];
      }
    }
    decode_to_f32(w_.dtype, data(row), values.data(), count);
    for (std::size_t i = 0; i < count; ++i) {
      values[i] = values[i] * scale_at(row, static_cast<std::int64_t>(i)) + change[i];
    }
    return values;
  }

  [[nodiscard]] float fitting_scale(float old, const std::vector<float>& values) const {
    const float limit = largest_of(w_.dtype);
    float largest = 0;
    for (const float v : values) largest = std::max(largest, std::fabs(v));
    if (old == 0) return largest > 0 ? largest / limit : 1.0f;
    while (std::isfinite(largest) && largest / old > limit) old *= 2;
    return old;
  }

  RoundingError store(std::int64_t row, std::vector<float>& values, float scale) {
    const std::size_t count = values.size();
    RoundingError e;
    for (const float v : values) e.value += static_cast<double>(v) * static_cast<double>(v);
    if (w_.dtype == DType::kF32) {
      encode_from_f32(w_.dtype, values.data(), data(row), count);
      return e;
    }
    for (float& v : values) v /= scale;
    Codes nearest(w_.dtype, count), other(w_.dtype, count);
    std::vector<float> near(count), far(count);
    nearest.encode(values);
    nearest.decode(near);
    for (std::size_t i = 0; i < count; ++i) {
      const unsigned code = nearest.at(i);
      other.set(i, near[i] == values[i] ? code : neighbour(w_.dtype, code, near[i], values[i]));
    }
    other.decode(far);
    const std::uint64_t place = seed_ + static_cast<std::uint64_t>(row * columns_);
    double error = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const float gap = far[i] - near[i];
      const bool take =
          gap != 0 && std::isfinite(gap) && unit(place + i) < (values[i] - near[i]) / gap;
      if (take) nearest.set(i, other.at(i));
      const double rounded = static_cast<double>((take ? far[i] : near[i]) - values[i]);
      error += rounded * rounded;
    }
    e.error = error * static_cast<double>(scale) * static_cast<double>(scale);
    std::copy(nearest.bytes().begin(), nearest.bytes().end(), data(row));
    return e;
  }

  HostWeight& w_;
  std::span<const LowRankChange> changes_;
  std::int64_t rows_, columns_;
  std::uint64_t seed_;
};

}  // namespace

double RoundingError::relative() const { return value > 0 ? std::sqrt(error / value) : 0; }

RoundingError merge_low_rank(HostWeight& weight, std::span<const LowRankChange> changes,
                             ThreadPool& pool) {
  return Merger(weight, changes).run(pool);
}

}  // namespace octet
