// conv2d(): tiles on the tensor cores where the shape allows it, else the generic kernel.
#include "backend/cuda/conv_tiles.h"
#include "backend/cuda/cuda_ops.h"
#include "backend/cuda/status.h"
#include "backend/cuda/tensor_map.h"
#include "base/check.h"

namespace octet::cuda {
namespace {

constexpr std::int64_t kNarrow = 16;  // up to so many output channels a narrow tile is enough

bool aligned(const void* p) { return reinterpret_cast<std::uintptr_t>(p) % 16 == 0; }

// The window's side, padding and stride that the tiles know.
bool tiles_fit(const Conv2dArgs& a, const PackedCudaWeight& w) {
  const std::int64_t side = a.weight->kernel;
  const bool window = (side == 3 && a.pad_before == 1 && a.pad_after == 1) ||
                      (side == 1 && a.pad_before == 0 && a.pad_after == 0 && !a.upsample);
  return w.stored == DType::kBF16 && a.x.dtype == DType::kBF16 && a.stride == 1 && window &&
         w.in % 8 == 0 && aligned(a.x.data) && (!a.residual || a.residual.dtype == a.dst.dtype);
}

int to_int(std::int64_t n) { return static_cast<int>(n); }

}  // namespace

bool CudaBackend::tiled_conv(const Conv2dArgs& a, const PackedCudaWeight& w) {
  if (properties_.major != 9 || !tiles_fit(a, w)) return false;  // Hopper's instructions
  const void* codes = w.codes;
  if (a.upsample) {
    if (w.folded.size() == 0) {
      w.folded = allocate(static_cast<std::size_t>(w.out * 16 * w.in) * 2);
      fold_upsampling(stream(), w.folded.data(), w.codes, w.out, w.in);
    }
    codes = w.folded.data();
  }
  ConvTiles p{};
  p.height = to_int(a.x.dim(1));
  p.width = to_int(a.x.dim(2));
  p.out = to_int(w.out);
  p.columns = w.out <= kNarrow ? 16 : 128;
  p.phases = a.upsample ? 4 : 1;
  p.taps = a.upsample ? 4 : to_int(w.window);
  p.tap_columns = a.upsample ? 2 : to_int(a.weight->kernel);
  p.chunks = to_int((w.in + kConvDepth - 1) / kConvDepth);
  p.pad = to_int(a.pad_before);
  p.tiles_x = (p.width + kConvSide - 1) / kConvSide;
  p.tiles_y = (p.height + kConvSide - 1) / kConvSide;
  p.tiles_n = (p.out + p.columns - 1) / p.columns;
  const std::int64_t tiles =
      a.x.dim(0) * p.tiles_x * p.tiles_y * std::int64_t{p.tiles_n} * p.phases;
  if (tiles > INT32_MAX) return false;
  p.tiles = to_int(tiles);
  p.bias = w.bias;
  p.residual = a.residual.data;
  p.dst = a.dst.data;
  p.dst_dtype = a.dst.dtype;
  p.vectors = a.dst.dtype == DType::kBF16 && w.out % 8 == 0 && aligned(a.dst.data) &&
              aligned(a.residual.data);
  const CUtensorMap x = tensor_map({.data = a.x.data,
                                    .dims = {w.in, a.x.dim(2), a.x.dim(1), a.x.dim(0)},
                                    .box = {kConvDepth, kConvSide, kConvSide, 1}});
  const CUtensorMap weights = tensor_map({.data = codes,
                                          .dims = {w.in, std::int64_t{p.taps} * p.phases, w.out},
                                          .box = {kConvDepth, 1, p.columns}});
  check(conv_tiles(stream(), x, weights, p, properties_.multiProcessorCount), "conv2d");
  return true;
}

void CudaBackend::conv2d(const Conv2dArgs& a) {
  const auto& w = static_cast<const PackedCudaWeight&>(*a.weight->packed);
  if (a.dst.numel() == 0 || tiled_conv(a, w)) return;
  generic_conv(stream(), {.x = a.x.data,
                          .x_dtype = a.x.dtype,
                          .shape = {.batch = a.x.dim(0),
                                    .height = a.x.dim(1),
                                    .width = a.x.dim(2),
                                    .in = a.x.dim(3),
                                    .out_height = a.dst.dim(1),
                                    .out_width = a.dst.dim(2),
                                    .kernel = a.weight->kernel,
                                    .stride = a.stride,
                                    .pad = a.pad_before,
                                    .upsample = a.upsample},
                          .weight = w.view(),
                          .epilogue = {.dst = {.rows = rows_of(a.dst)},
                                       .bias = w.bias,
                                       .residual = rows_of(a.residual),
                                       .act = Act::kNone}});
  launched("conv2d");
}

}  // namespace octet::cuda
