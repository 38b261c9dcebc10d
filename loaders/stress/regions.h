// Parts of a picture that mean something on a chest radiograph: the corners, where markers lie; the middle, where the
// lungs are; the border.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace xrai {

class Regions {
 public:
  Regions(std::int64_t height, std::int64_t width) : height_(height), width_(width), corner_(length(kCornerShare)) {}

  /// Pixels of a length given as a share of the short side; at least 1.
  [[nodiscard]] std::int64_t length(double share) const {
    return std::max<std::int64_t>(1, std::llround(share * static_cast<double>(std::min(height_, width_))));
  }
  [[nodiscard]] bool on_border(std::int64_t y, std::int64_t x) const {
    return y == 0 || x == 0 || y == height_ - 1 || x == width_ - 1;
  }
  /// In one of the four squares, a fifth of the short side wide.
  [[nodiscard]] bool in_corner(std::int64_t y, std::int64_t x) const {
    return (y < corner_ || y >= height_ - corner_) && (x < corner_ || x >= width_ - corner_);
  }
  /// In the central rectangle of three fifths of either side: most of both lungs on a frontal picture.
  [[nodiscard]] bool in_middle(std::int64_t y, std::int64_t x) const {
    const auto inner = [](std::int64_t i, std::int64_t n) { return 5 * i >= n && 5 * (i + 1) <= 4 * n; };
    return inner(y, height_) && inner(x, width_);
  }

 private:
  static constexpr double kCornerShare = 0.2;
  std::int64_t height_, width_, corner_;
};

}  // namespace xrai
