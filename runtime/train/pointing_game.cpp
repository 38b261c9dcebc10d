#include "runtime/train/pointing_game.h"

#include <algorithm>
#include <cmath>

namespace xrai {
namespace {

constexpr int kGrid = 96;  // places a side that sums over the seen part are taken at: a lesion of 0.1 covers some 280

bool lies_within(PicturePlace place, const Lesion& lesion, double margin) {
  return std::hypot(place.x - lesion.centre.x, place.y - lesion.centre.y) <= lesion.radius + margin;
}

/// Calls visit for places spread evenly over what the network looks at.
template <class Visit>
void for_each_place(const HeatMap& map, const Visit& visit) {
  for (int row = 0; row < kGrid; ++row)
    for (int column = 0; column < kGrid; ++column)
      visit(
          PicturePlace{0.5 + map.crop * ((column + 0.5) / kGrid - 0.5), 0.5 + map.crop * ((row + 0.5) / kGrid - 0.5)});
}

}  // namespace

double pointing_margin(const HeatMap& map) {
  return 0.5 * map.crop / static_cast<double>(std::max(map.height, map.width));
}

bool points_at(const HeatMap& map, const Lesion& lesion) {
  const std::optional<PicturePlace> peak = map.peak();
  return peak && lies_within(*peak, lesion, pointing_margin(map));
}

double heat_inside(const HeatMap& map, const Lesion& lesion) {
  double inside = 0, all = 0;
  for_each_place(map, [&](PicturePlace place) {
    const double heat = map.at(place);
    all += heat;
    if (lies_within(place, lesion, 0)) inside += heat;
  });
  return all > 0 ? inside / all : 0.0;
}

double area_share(const HeatMap& map, const Lesion& lesion, double margin) {
  int inside = 0;
  for_each_place(map, [&](PicturePlace place) { inside += lies_within(place, lesion, margin) ? 1 : 0; });
  return static_cast<double>(inside) / (kGrid * kGrid);
}

void PointingGame::play(const HeatMap& map, const Lesion& lesion) {
  if (!map.covers(lesion.centre)) return;
  hits_.of += 1;
  hits_.hits += points_at(map, lesion) ? 1 : 0;
  chance_ += area_share(map, lesion, pointing_margin(map));
  heat_ += heat_inside(map, lesion);
  area_ += area_share(map, lesion, 0);
}

}  // namespace xrai
