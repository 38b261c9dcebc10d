// Changes of place: where each pixel looks, and rims.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "loaders/stress/pixel_changes.h"
#include "loaders/stress/rounding.h"

namespace xrai::pixels {

Affine rotation(double degrees, double aspect) {
  const double angle = degrees * std::numbers::pi / 180.0, c = std::cos(angle), s = std::sin(angle);
  // Looking at places turned the one way turns the picture the other way; rows run downwards, which turns it again.
  return {.m00 = c, .m01 = s / aspect, .m10 = -s * aspect, .m11 = c};
}

void warp(const Picture& p, const Affine& map) {
  const auto right = static_cast<float>(p.width - 1), bottom = static_cast<float>(p.height - 1);
  for (int i = 0; i < p.height; ++i) {
    const double v = (2.0 * i + 1.0) / p.height - 1.0;
    // x and y are linear in the column: start and step in pixels.
    const double start_u = 1.0 / p.width - 1.0, step_u = 2.0 / p.width;
    const auto x0 = static_cast<float>((map.m00 * start_u + map.m01 * v + map.tx + 1.0) * 0.5 * p.width - 0.5);
    const auto y0 = static_cast<float>((map.m10 * start_u + map.m11 * v + map.ty + 1.0) * 0.5 * p.height - 0.5);
    const auto step_x = static_cast<float>(map.m00 * step_u * 0.5 * p.width);
    const auto step_y = static_cast<float>(map.m10 * step_u * 0.5 * p.height);
    std::uint8_t* const out = p.out + std::int64_t{i} * p.width;
    for (int j = 0; j < p.width; ++j) {
      const float x = std::clamp(x0 + static_cast<float>(j) * step_x, 0.0f, right);
      const float y = std::clamp(y0 + static_cast<float>(j) * step_y, 0.0f, bottom);
      const int left = static_cast<int>(x), top = static_cast<int>(y);
      const int next = left + 1 < p.width ? 1 : 0;
      const std::uint8_t* const above = p.in + std::int64_t{top} * p.width + left;
      const std::uint8_t* const below = top + 1 < p.height ? above + p.width : above;
      const float part_x = x - static_cast<float>(left), part_y = y - static_cast<float>(top);
      const float upper = static_cast<float>(above[0]) + part_x * static_cast<float>(above[next] - above[0]);
      const float lower = static_cast<float>(below[0]) + part_x * static_cast<float>(below[next] - below[0]);
      out[j] = to_level(upper + part_y * (lower - upper));
    }
  }
}

void add_black_border(const Picture& p, double share) {
  const int rim = static_cast<int>(std::lround(share * p.short_side()));
  for (int y = 0; y < p.height; ++y)
    for (int x = 0; x < p.width; ++x) {
      const bool inside = x >= rim && y >= rim && x < p.width - rim && y < p.height - rim;
      const std::int64_t i = std::int64_t{y} * p.width + x;
      p.out[i] = inside ? p.in[i] : std::uint8_t{0};
    }
}

}  // namespace xrai::pixels
