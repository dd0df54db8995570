#include "quantize/picture_metrics.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "base/check.h"

namespace octet {
namespace {

/// One channel of a picture.
struct Plane {
  int width = 0, height = 0;
  std::vector<double> values;
  Plane(int w, int h)
      : width(w), height(h), values(static_cast<std::size_t>(w) * static_cast<std::size_t>(h)) {}
  [[nodiscard]] std::size_t index(int x, int y) const {
    return static_cast<std::size_t>(y) * static_cast<std::size_t>(width) +
           static_cast<std::size_t>(x);
  }
  [[nodiscard]] double at(int x, int y) const { return values[index(x, y)]; }
  double& at(int x, int y) { return values[index(x, y)]; }
};

void require_equal_size(const Picture& a, const Picture& b) {
  OCTET_CHECK(
      a.width == b.width && a.height == b.height && a.rgb.size() == b.rgb.size() && !a.rgb.empty(),
      "pictures of %dx%d and %dx%d", a.width, a.height, b.width, b.height);
}

Plane luma(const Picture& p) {
  Plane plane(p.width, p.height);
  for (std::size_t i = 0; i < plane.values.size(); ++i) {
    plane.values[i] = 0.299 * p.rgb[3 * i] + 0.587 * p.rgb[3 * i + 1] + 0.114 * p.rgb[3 * i + 2];
  }
  return plane;
}

constexpr int kWindow = 11;
constexpr int kCentre = kWindow / 2;

std::array<double, kWindow> gaussian() {
  std::array<double, kWindow> weights{};
  double sum = 0;
  for (int i = 0; i < kWindow; ++i) {
    const double distance = i - kCentre;
    weights[static_cast<std::size_t>(i)] = std::exp(-distance * distance / (2 * 1.5 * 1.5));
    sum += weights[static_cast<std::size_t>(i)];
  }
  for (double& w : weights) w /= sum;
  return weights;
}

// Windows inside the plane only: the result is smaller by the window.
Plane blurred(const Plane& plane) {
  static const std::array<double, kWindow> weights = gaussian();
  Plane rows(plane.width - kWindow + 1, plane.height);
  for (int y = 0; y < rows.height; ++y) {
    for (int x = 0; x < rows.width; ++x) {
      double sum = 0;
      for (int i = 0; i < kWindow; ++i) {
        sum += weights[static_cast<std::size_t>(i)] * plane.at(x + i, y);
      }
      rows.at(x, y) = sum;
    }
  }
  Plane result(rows.width, plane.height - kWindow + 1);
  for (int y = 0; y < result.height; ++y) {
    for (int x = 0; x < result.width; ++x) {
      double sum = 0;
      for (int i = 0; i < kWindow; ++i) {
        sum += weights[static_cast<std::size_t>(i)] * rows.at(x, y + i);
      }
      result.at(x, y) = sum;
    }
  }
  return result;
}

Plane product(const Plane& a, const Plane& b) {
  Plane result(a.width, a.height);
  for (std::size_t i = 0; i < result.values.size(); ++i) {
    result.values[i] = a.values[i] * b.values[i];
  }
  return result;
}

Plane halved(const Plane& p) {
  Plane result(p.width / 2, p.height / 2);
  for (int y = 0; y < result.height; ++y) {
    for (int x = 0; x < result.width; ++x) {
      result.at(x, y) = (p.at(2 * x, 2 * y) + p.at(2 * x + 1, 2 * y) + p.at(2 * x, 2 * y + 1) +
                         p.at(2 * x + 1, 2 * y + 1)) /
                        4;
    }
  }
  return result;
}

double gradient(const Plane& p, int x, int y) {
  double across = 0;
  double down = 0;
  for (int i = -1; i <= 1; ++i) {
    across += p.at(x + 1, y + i) - p.at(x - 1, y + i);
    down += p.at(x + i, y + 1) - p.at(x + i, y - 1);
  }
  return std::sqrt(across * across + down * down) / 3;
}

}  // namespace

double psnr(const Picture& a, const Picture& b) {
  require_equal_size(a, b);
  constexpr double kEqual = 100;
  std::uint64_t squares = 0;
  for (std::size_t i = 0; i < a.rgb.size(); ++i) {
    const int d = int{a.rgb[i]} - int{b.rgb[i]};
    squares += static_cast<std::uint64_t>(d * d);
  }
  if (squares == 0) return kEqual;
  const double mean = static_cast<double>(squares) / static_cast<double>(a.rgb.size());
  return std::min(kEqual, 10 * std::log10(255.0 * 255.0 / mean));
}

double ssim(const Picture& a, const Picture& b) {
  require_equal_size(a, b);
  OCTET_CHECK(std::min(a.width, a.height) >= kWindow, "a picture of %dx%d", a.width, a.height);
  constexpr double kC1 = (0.01 * 255) * (0.01 * 255);
  constexpr double kC2 = (0.03 * 255) * (0.03 * 255);
  const Plane x = luma(a);
  const Plane y = luma(b);
  const Plane mx = blurred(x);
  const Plane my = blurred(y);
  const Plane xx = blurred(product(x, x));
  const Plane yy = blurred(product(y, y));
  const Plane xy = blurred(product(x, y));
  double sum = 0;
  for (std::size_t i = 0; i < mx.values.size(); ++i) {
    const double u = mx.values[i];
    const double v = my.values[i];
    const double vx = xx.values[i] - u * u;
    const double vy = yy.values[i] - v * v;
    const double cov = xy.values[i] - u * v;
    sum += (2 * u * v + kC1) * (2 * cov + kC2) / ((u * u + v * v + kC1) * (vx + vy + kC2));
  }
  return sum / static_cast<double>(mx.values.size());
}

double gmsd(const Picture& a, const Picture& b) {
  require_equal_size(a, b);
  constexpr double kC = 170;
  const Plane x = halved(luma(a));
  const Plane y = halved(luma(b));
  OCTET_CHECK(std::min(x.width, x.height) >= 3, "a picture of %dx%d", a.width, a.height);
  std::vector<double> map;
  double sum = 0;
  for (int row = 1; row + 1 < x.height; ++row) {
    for (int column = 1; column + 1 < x.width; ++column) {
      const double g = gradient(x, column, row);
      const double h = gradient(y, column, row);
      map.push_back((2 * g * h + kC) / (g * g + h * h + kC));
      sum += map.back();
    }
  }
  const double mean = sum / static_cast<double>(map.size());
  double squares = 0;
  for (const double v : map) squares += (v - mean) * (v - mean);
  return std::sqrt(squares / static_cast<double>(map.size()));
}

}  // namespace octet
