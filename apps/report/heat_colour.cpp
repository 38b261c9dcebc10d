// See heat_colour.h. Two straight lines through CIELAB between three colours of sRGB's gamut, by arc length.
#include "apps/report/heat_colour.h"

#include <algorithm>
#include <cmath>

namespace xrai {
namespace {

struct Lab {
  double l, a, b;
};
constexpr Lab kCold{10, 25, -35}, kWarm{48, 60, 15}, kHot{92, -10, 68};

double distance(const Lab& p, const Lab& q) {
  return std::hypot(p.l - q.l, p.a - q.a, p.b - q.b);
}
Lab between(const Lab& p, const Lab& q, double part) {
  return {std::lerp(p.l, q.l, part), std::lerp(p.a, q.a, part), std::lerp(p.b, q.b, part)};
}

// CIE 15:2004, equations 8.3 to 8.12 read backwards.
double from_cube_root(double t) {
  constexpr double kKnee = 6.0 / 29.0;
  return t > kKnee ? t * t * t : 3 * kKnee * kKnee * (t - 4.0 / 29.0);
}

// IEC 61966-2-1.
std::uint8_t encoded(double linear) {
  const double x = std::clamp(linear, 0.0, 1.0);
  const double value = x <= 0.0031308 ? 12.92 * x : 1.055 * std::pow(x, 1 / 2.4) - 0.055;
  return static_cast<std::uint8_t>(std::lround(255 * value));
}

Rgb to_rgb(const Lab& colour) {
  const double fy = (colour.l + 16) / 116;
  // Relative to the white of D65.
  const double x = 0.95047 * from_cube_root(fy + colour.a / 500), y = from_cube_root(fy),
               z = 1.08883 * from_cube_root(fy - colour.b / 200);
  return {encoded(3.2404542 * x - 1.5371385 * y - 0.4985314 * z),
          encoded(-0.9692660 * x + 1.8760108 * y + 0.0415560 * z),
          encoded(0.0556434 * x - 0.2040259 * y + 1.0572252 * z)};
}

}  // namespace

Rgb heat_colour(double heat) {
  const double first = distance(kCold, kWarm), second = distance(kWarm, kHot);
  const double along = std::clamp(heat, 0.0, 1.0) * (first + second);
  return to_rgb(along <= first ? between(kCold, kWarm, along / first) : between(kWarm, kHot, (along - first) / second));
}

double heat_opacity(double heat) {
  return 0.65 * std::clamp(heat, 0.0, 1.0);
}

}  // namespace xrai
