// How far two pictures of equal size are apart.
//
// SSIM and GMSD look at luma (BT.601 weights, 0..255). Pure functions; every sum has a fixed order.
#pragma once

#include "octet/request.h"

namespace octet {

/// Peak signal-to-noise ratio over R, G and B in dB; 100 for equal pictures.
[[nodiscard]] double psnr(const Picture& a, const Picture& b);

/// Mean structural similarity, 1 for equal pictures: Gaussian window of 11x11 (deviation 1.5),
/// K1 0.01, K2 0.03, windows that lie inside the picture. (Wang, Bovik, Sheikh, Simoncelli 2004)
[[nodiscard]] double ssim(const Picture& a, const Picture& b);

/// Gradient magnitude similarity deviation, 0 for equal pictures: a perceptual distance that asks
/// whether edges are where they were. Means of 2x2 pixels, Prewitt gradients, c = 170. (Xue,
/// Zhang, Mou, Bovik 2014, arXiv 1308.3052)
[[nodiscard]] double gmsd(const Picture& a, const Picture& b);

}  // namespace octet
