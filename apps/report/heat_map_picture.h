// Heat maps as pictures: the overlay of a page, and a PNG of its own with picture, overlay and legend.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "runtime/train/heat_map.h"

namespace xrai {

/// Colours to lay over the whole picture, (height, width, 4) RGBA, relative to the map's highest value; transparent
/// where the network does not look, and everywhere for a map of zeros.
std::vector<std::uint8_t> heat_overlay(const HeatMap& map, std::int64_t width, std::int64_t height);

/// heat_overlay for a picture of width x height pixels as "data:image/png;base64,...", small: browsers enlarge it.
std::string heat_overlay_data(const HeatMap& map, std::int64_t width, std::int64_t height);
/// The colours from no heat to the highest, from left to right.
std::string heat_legend_data();

/// What stands under the picture.
struct HeatMapWords {
  std::string class_name;  // whose evidence is shown
  double probability = 0;  // of that class
  std::string verdict;     // the class that was called
  std::string layer;       // whose maps
};

/// The picture beside itself with the heat map over it and the seen part framed; written aside and renamed. pixels:
/// (height, width) grey. Throws Error(kStorage).
void write_heat_map(const std::filesystem::path& path, std::span<const std::uint8_t> pixels, std::int64_t width,
                    std::int64_t height, const HeatMap& map, const HeatMapWords& words);

}  // namespace xrai
