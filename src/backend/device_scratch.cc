#include "backend/device_scratch.h"

#include <algorithm>

namespace octet {
namespace {

void grow(std::size_t& most, std::size_t bytes) { most = std::max(most, bytes); }

std::size_t count(const Tensor& t) { return static_cast<std::size_t>(t.numel()); }

}  // namespace

void DeviceScratch::note(const LinearArgs& a) {
  const Weight& w = *a.weight;
  const bool full = w.compute == Compute::kF32 || a.dst.data.dtype == DType::kF32;
  const bool tuned = w.in % 16 == 0 && w.out % 8 == 0;
  const std::size_t bytes = count(a.dst.data) * (full || !tuned ? 4 : 2);
  if (is_fp8(a.dst.data.dtype) || a.act != Act::kNone || !a.dst.data.dense()) {
    grow(product, bytes);
  }
  if (a.residual) grow(residual, bytes);
  if (w.compute == Compute::kW8A16) grow(weight, static_cast<std::size_t>(w.out * w.in) * 2);
}

void DeviceScratch::note(const AttentionArgs& a) {
  const auto plain = [&](const Activation& dst) {
    return dst.data && is_fp8(dst.data.dtype) ? count(dst.data) * size_of(a.q.dtype) : 0;
  };
  grow(attention, plain(a.dst));
  grow(rest, plain(a.rest));
  constexpr std::int64_t kOwnKernel = 64;  // size of heads
  if (a.q.dtype != DType::kBF16 || (a.q.dim(3) == kOwnKernel && !a.causal && !a.bias)) return;
  const auto keys = static_cast<std::size_t>((a.k.dim(1) + 7) / 8 * 8);
  const std::size_t row = keys * static_cast<std::size_t>(a.q.dim(2)) * kBytesPerScore;
  const auto rows = static_cast<std::size_t>(a.q.dim(1));
  grow(scores, row * std::max<std::size_t>(1, std::min(rows, kScoreBytes / row)));
}

void DeviceScratch::note(const GroupNormArgs& a) {
  constexpr std::int64_t kPixels = 256;  // of a piece with sums of its own
  const std::int64_t pieces = (a.x.dim(1) * a.x.dim(2) + kPixels - 1) / kPixels;
  grow(statistics,
       static_cast<std::size_t>(a.x.dim(0) * a.x.dim(3) * (1 + pieces)) * 2 * sizeof(float));
}

void DeviceScratch::include(const DeviceScratch& other) {
  grow(product, other.product);
  grow(residual, other.residual);
  grow(weight, other.weight);
  grow(attention, other.attention);
  grow(rest, other.rest);
  grow(scores, other.scores);
  grow(statistics, other.statistics);
}

}  // namespace octet
