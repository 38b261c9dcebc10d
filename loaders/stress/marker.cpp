// The letters of lead that say which side is which, as radiographers lay them on the plate.
#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <vector>

#include "loaders/stress/pixel_changes.h"
#include "loaders/stress/rounding.h"

namespace xrai::pixels {
namespace {

// Places in a letter's box: x to the right, y downwards, both in units of the letter's height.
struct Place {
  double x, y;
};
using Stroke = std::vector<Place>;  // through these points

constexpr double kLetterWidth = 0.62, kHalfStroke = 0.08, kLeadLevel = 245.0;

std::vector<Stroke> strokes_of(char letter) {
  if (letter == 'L') return {{{0, 0}, {0, 1}, {kLetterWidth, 1}}};
  if (letter != 'R') throw std::invalid_argument("markers are the letters R and L");
  return {{{0, 0}, {0, 1}},
          {{0, 0}, {0.34, 0}, {0.5, 0.05}, {0.58, 0.15}, {0.6, 0.25}, {0.58, 0.35}, {0.5, 0.45}, {0.34, 0.5}, {0, 0.5}},
          {{0.3, 0.5}, {kLetterWidth, 1}}};
}

double distance_to_segment(Place p, Place a, Place b) {
  const double dx = b.x - a.x, dy = b.y - a.y;
  const double along = std::clamp(((p.x - a.x) * dx + (p.y - a.y) * dy) / (dx * dx + dy * dy), 0.0, 1.0);
  return std::hypot(p.x - a.x - along * dx, p.y - a.y - along * dy);
}

double distance_to_letter(Place p, const std::vector<Stroke>& strokes) {
  double least = 10.0;
  for (const Stroke& stroke : strokes)
    for (std::size_t i = 1; i < stroke.size(); ++i)
      least = std::min(least, distance_to_segment(p, stroke[i - 1], stroke[i]));
  return least;
}

}  // namespace

void paste_marker(const Picture& p, const Marker& marker) {
  const auto strokes = strokes_of(marker.letter);
  std::copy_n(p.in, p.count(), p.out);
  const double side = p.short_side(), unit = std::max(marker.height * side, 1.0);  // pixels
  const double left = marker.at_right ? p.width - marker.offset_x * side - kLetterWidth * unit : marker.offset_x * side;
  const double top = marker.offset_y * side;
  for (int y = 0; y < p.height; ++y)
    for (int x = 0; x < p.width; ++x) {
      const Place place{(x + 0.5 - left) / unit, (y + 0.5 - top) / unit};
      if (place.x < -0.5 || place.x > kLetterWidth + 0.5 || place.y < -0.5 || place.y > 1.5) continue;
      const double inside = (kHalfStroke - distance_to_letter(place, strokes)) * unit + 0.5;  // pixels
      const double cover = std::clamp(inside, 0.0, 1.0);
      const std::int64_t i = std::int64_t{y} * p.width + x;
      // Lead does not make bright film darker.
      p.out[i] = std::max(p.in[i], to_level(p.in[i] + cover * (kLeadLevel - p.in[i])));
    }
}

}  // namespace xrai::pixels
