// The tensor core convolution of conv_tiles.cu, as its host side sees it.
#pragma once

#include <cuda.h>
#include <cuda_runtime_api.h>

#include <cstdint>

#include "tensor/dtype.h"

namespace octet::cuda {

inline constexpr int kConvSide = 16;   // pixels of a tile, both ways
inline constexpr int kConvDepth = 64;  // input channels per step

struct ConvTiles {
  int height, width;  // of the output; before enlarging with phases == 4
  int out;            // channels
  int tiles, tiles_x, tiles_y, tiles_n;
  int columns;                    // output channels per tile: 128 or 16
  int phases;                     // 4: twofold upsampling, weights from fold_upsampling()
  int taps, tap_columns, chunks;  // of one phase; chunks of kConvDepth channels
  int pad;
  const float* bias;     // or null
  const void* residual;  // like dst, or null
  void* dst;
  DType dst_dtype;
  bool vectors;  // BF16 dst in whole 16-byte groups
};

/// `x`: [batch, height, width, channels] in boxes of 16 x 16 pixels and 64 channels; `w`: [out,
/// taps, channels] in boxes of `columns` x 1 x 64; both swizzled by 128 bytes.
[[nodiscard]] cudaError_t conv_tiles(cudaStream_t stream, const CUtensorMap& x,
                                     const CUtensorMap& w, const ConvTiles& p, int processors);

/// dst [out][4 phases][4 taps][in] from BF16 src [out][9 taps][in].
void fold_upsampling(cudaStream_t stream, void* dst, const void* src, std::int64_t out,
                     std::int64_t in);

}  // namespace octet::cuda
