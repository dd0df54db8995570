// Norms: rows are independent, except in group_norm.
#include <algorithm>
#include <cmath>

#include "backend/cpu/cpu_ops.h"
#include "base/check.h"

namespace octet::cpu {

void CpuBackend::layer_norm(const LayerNormArgs& a) {
  const std::int64_t n = a.x.dim(-1);
  for_rows(a.x.rows(), n, [&](std::int64_t begin, std::int64_t end, int worker) {
    RowReader in(kernels_, a.x, scratch(worker).floats(Scratch::kRow, n));
    RowWriter out(kernels_, a.dst, scratch(worker).floats(Scratch::kRow2, n));
    for (std::int64_t r = begin; r < end; ++r) {
      const float* x = in.at(r);
      out.write(r, [&](float* dst) {
        kernels_.layer_norm({.x = x,
                             .weight = a.weight.as<const float>(),
                             .bias = a.bias.as<const float>(),
                             .weight_plus = 0,
                             .eps = a.eps,
                             .dst = dst,
                             .n = static_cast<std::size_t>(n)});
      });
    }
  });
}

void CpuBackend::layer_norm_modulate(const LayerNormModulateArgs& a) {
  const std::int64_t n = a.x.dim(-1);
  const std::int64_t tokens = a.x.dim(1);
  const auto width = static_cast<std::size_t>(n);
  const auto modulation = [](const Tensor& t, std::int64_t batch) {
    return t.as<const float>() + batch * t.strides[0];
  };
  for_rows(a.x.rows(), n, [&](std::int64_t begin, std::int64_t end, int worker) {
    float* copy = scratch(worker).floats(Scratch::kRow, n);
    float* value = scratch(worker).floats(Scratch::kExtra, n);
    Rows stream(a.x);
    RowWriter out(kernels_, a.dst, scratch(worker).floats(Scratch::kRow2, n));
    RowReader values[2] = {{kernels_, a.branches[0].value, value},
                           {kernels_, a.branches[1].value, value}};
    for (std::int64_t r = begin; r < end; ++r) {
      const std::int64_t batch = r / tokens;
      void* row = stream.at(r);
      float* x = a.x.dtype == DType::kF32 ? static_cast<float*>(row) : copy;
      if (x != row) kernels_.to_f32(a.x.dtype, row, x, width);
      bool changed = false;
      for (std::size_t i = 0; i < 2; ++i) {
        if (!a.branches[i].value) continue;
        kernels_.multiply_add(modulation(a.branches[i].gate, batch), values[i].at(r), x, x, width);
        changed = true;
      }
      if (changed && x != row) {
        // The norm sees what the stream holds, rounded, as a later reader will.
        kernels_.from_f32(a.x.dtype, x, row, width);
        kernels_.to_f32(a.x.dtype, row, x, width);
      }
      if (!a.dst.data) continue;
      out.write(r, [&](float* dst) {
        kernels_.layer_norm({.x = x,
                             .weight = modulation(a.scale, batch),
                             .bias = modulation(a.shift, batch),
                             .weight_plus = 1,
                             .eps = a.eps,
                             .dst = dst,
                             .n = width});
      });
    }
  });
}

void CpuBackend::rms_norm(const RmsNormArgs& a) {
  const std::int64_t n = a.x.dim(-1);
  for_rows(a.x.rows(), n, [&](std::int64_t begin, std::int64_t end, int worker) {
    RowReader in(kernels_, a.x, scratch(worker).floats(Scratch::kRow, n));
    RowWriter out(kernels_, a.dst, scratch(worker).floats(Scratch::kRow2, n));
    for (std::int64_t r = begin; r < end; ++r) {
      const float* x = in.at(r);
      out.write(r, [&](float* dst) {
        kernels_.rms_norm({.x = x,
                           .weight = a.weight.as<const float>(),
                           .bias = nullptr,
                           .weight_plus = 0,
                           .eps = a.eps,
                           .dst = dst,
                           .n = static_cast<std::size_t>(n)});
      });
    }
  });
}

void CpuBackend::qk_norm(const QkNormArgs& a) {
  rms_norm({.dst = a.x, .x = a.x, .weight = a.weight, .eps = a.eps});
}

namespace {

// Pixels per piece of the statistics: part of the numerical contract, like every order of sums.
constexpr std::int64_t kStatisticsPixels = 512;

// Mean and sum of squared deviations of `count` values; merged pairwise in a fixed order
// (Chan, Golub, LeVeque: Updating formulae, 1979), in double.
struct Moments {
  double count = 0, mean = 0, squares = 0;
  void merge(const Moments& b) {
    const double total = count + b.count;
    const double delta = b.mean - mean;
    mean += delta * b.count / total;
    squares += b.squares + delta * delta * count * b.count / total;
    count = total;
  }
};

}  // namespace

// Statistics come from pieces of a fixed number of pixels, two passes over each while it is in the
// cache, merged in order; then one pass applies them.
void CpuBackend::group_norm(const GroupNormArgs& a) {
  const std::int64_t channels = a.x.dim(3);
  const std::int64_t pixels = a.x.dim(1) * a.x.dim(2);
  const std::int64_t pieces = (pixels + kStatisticsPixels - 1) / kStatisticsPixels;
  const std::int64_t per_group = channels / a.groups;
  const auto size = static_cast<std::size_t>(channels);
  const auto bytes = static_cast<std::int64_t>(size_of(a.x.dtype));
  const auto groups = static_cast<std::size_t>(a.groups);
  moments_.resize(static_cast<std::size_t>(a.x.dim(0) * pieces) * groups * 2);

  const auto load_piece = [&](std::int64_t image, std::int64_t begin, std::int64_t count,
                              int worker) {
    const unsigned char* p =
        a.x.as<const unsigned char>() + (image * pixels + begin) * channels * bytes;
    if (a.x.dtype == DType::kF32) return reinterpret_cast<const float*>(p);
    float* copy = scratch(worker).floats(Scratch::kInput, kStatisticsPixels * channels);
    kernels_.to_f32(a.x.dtype, p, copy, static_cast<std::size_t>(count * channels));
    return static_cast<const float*>(copy);
  };

  pool_.parallel_for(a.x.dim(0) * pieces, [&](std::int64_t task, int worker) {
    const std::int64_t begin = task % pieces * kStatisticsPixels;
    const std::int64_t count = std::min(kStatisticsPixels, pixels - begin);
    const float* x = load_piece(task / pieces, begin, count, worker);
    float* sums = scratch(worker).floats(Scratch::kRow, channels);
    float* means = scratch(worker).floats(Scratch::kRow2, channels);
    double* out = moments_.data() + static_cast<std::size_t>(task) * groups * 2;
    const auto group_sum = [&](std::int64_t g) {
      double sum = 0;
      for (std::int64_t c = 0; c < per_group; ++c) sum += double{sums[g * per_group + c]};
      return sum;
    };
    kernels_.channel_sums(x, static_cast<std::size_t>(count), size, nullptr, sums);
    for (std::int64_t g = 0; g < a.groups; ++g) {
      // The FP32 mean is used in the second pass and in the merge alike.
      const auto mean = static_cast<float>(group_sum(g) / static_cast<double>(count * per_group));
      std::fill_n(means + g * per_group, per_group, mean);
      out[2 * g] = double{mean};
    }
    kernels_.channel_sums(x, static_cast<std::size_t>(count), size, means, sums);
    for (std::int64_t g = 0; g < a.groups; ++g) out[2 * g + 1] = group_sum(g);
  });

  float* table = shared_.floats(Scratch::kRow, a.x.dim(0) * channels * 2);  // mean, factor
  for (std::int64_t image = 0; image < a.x.dim(0); ++image) {
    for (std::int64_t g = 0; g < a.groups; ++g) {
      Moments total;
      for (std::int64_t piece = 0; piece < pieces; ++piece) {
        const std::int64_t count = std::min(kStatisticsPixels, pixels - piece * kStatisticsPixels);
        const double* m =
            moments_.data() + (static_cast<std::size_t>(image * pieces + piece) * groups +
                               static_cast<std::size_t>(g)) *
                                  2;
        total.merge(
            {.count = static_cast<double>(count * per_group), .mean = m[0], .squares = m[1]});
      }
      const double factor = 1.0 / std::sqrt(total.squares / total.count + double{a.eps});
      for (std::int64_t c = g * per_group; c < (g + 1) * per_group; ++c) {
        float* row = table + image * channels * 2;
        row[c] = static_cast<float>(total.mean);
        row[channels + c] = static_cast<float>(factor * double{a.weight.as<const float>()[c]});
      }
    }
  }

  pool_.parallel_for(a.x.dim(0) * pieces, [&](std::int64_t task, int worker) {
    const std::int64_t image = task / pieces;
    const std::int64_t begin = task % pieces * kStatisticsPixels;
    const std::int64_t count = std::min(kStatisticsPixels, pixels - begin);
    const float* row = table + image * channels * 2;
    const std::int64_t at = (image * pixels + begin) * channels;
    kernels_.affine({.x = load_piece(image, begin, count, worker),
                     .mean = row,
                     .factor = row + channels,
                     .bias = a.bias.as<const float>(),
                     .rows = static_cast<std::size_t>(count),
                     .n = size,
                     .silu = a.silu,
                     .dst = a.dst.as<char>() + at * static_cast<std::int64_t>(size_of(a.dst.dtype)),
                     .dst_dtype = a.dst.dtype});
  });
}

}  // namespace octet::cpu
