#include "runtime/train/heat_map.h"

#include <algorithm>
#include <cmath>

namespace xrai {
namespace {

double middle(std::int64_t cell, std::int64_t cells, double crop) {
  const double from_centre = (2.0 * static_cast<double>(cell) + 1.0) / static_cast<double>(cells) - 1.0;
  return 0.5 * (crop * from_centre + 1.0);
}

// Two neighbouring cells and how far from the first to the second.
struct Between {
  std::int64_t first, second;
  double part;
};
Between between(double place, std::int64_t cells, double crop) {
  const double cell = ((place - 0.5) / crop + 0.5) * static_cast<double>(cells) - 0.5;
  const double inside = std::clamp(cell, 0.0, static_cast<double>(cells - 1));
  const auto first = static_cast<std::int64_t>(inside);
  return {first, std::min(first + 1, cells - 1), inside - static_cast<double>(first)};
}

}  // namespace

float HeatMap::highest() const {
  return values.empty() ? 0.0f : *std::max_element(values.begin(), values.end());
}

PicturePlace HeatMap::middle_of(std::int64_t row, std::int64_t column) const {
  return {middle(column, width, crop), middle(row, height, crop)};
}

std::optional<PicturePlace> HeatMap::peak() const {
  if (!(highest() > 0)) return std::nullopt;
  const auto cell = std::max_element(values.begin(), values.end()) - values.begin();
  return middle_of(cell / width, cell % width);
}

bool HeatMap::covers(PicturePlace place) const {
  return std::abs(place.x - 0.5) <= 0.5 * crop && std::abs(place.y - 0.5) <= 0.5 * crop;
}

double HeatMap::at(PicturePlace place) const {
  if (!covers(place)) return 0.0;
  const Between rows = between(place.y, height, crop), columns = between(place.x, width, crop);
  const auto value = [&](std::int64_t row, std::int64_t column) {
    return static_cast<double>(values[static_cast<std::size_t>(row * width + column)]);
  };
  const auto along = [&](std::int64_t row) {
    return (1 - columns.part) * value(row, columns.first) + columns.part * value(row, columns.second);
  };
  return (1 - rows.part) * along(rows.first) + rows.part * along(rows.second);
}

}  // namespace xrai
