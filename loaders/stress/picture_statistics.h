// What can be said of a radiograph without looking at the chest: exposure, contrast, rim, markers, sharpness, size of
// the file. Hospitals and machines differ in them, so results are compared along them, and a network could live on
// them. Lives here: measuring. Not here: what follows from the figures (runtime/train/association.h, apps/stress).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "loaders/reader.h"

namespace xrai {

struct PictureStatistics {
  double mean_grey = 0;  // level, 0 to 255
  double deviation = 0;  // standard deviation of the levels
  double dark_rim = 0;   // share of the outer rim (a twentieth of the short side wide) that is below level 16
  double corners = 0;    // mean level of the brightest 50th of the four corner squares (a fifth of the short side)
  double sharpness = 0;  // mean over inner pixels of |4 p - left - right - above - below|, in levels
};

/// pixels: (height, width). A picture of one row or column has sharpness 0.
PictureStatistics picture_statistics(const std::uint8_t* pixels, std::int64_t height, std::int64_t width);

/// One statistic of all pictures of a split.
struct StatisticColumn {
  std::string name;            // in JSON: "mean_grey"
  std::string label;           // for people: "mean grey"
  std::vector<double> values;  // (n_images)
};

/// Leaves out columns that are the same for all pictures: they tell nothing apart.
std::vector<StatisticColumn> varying_columns(std::vector<StatisticColumn> columns);

/// For each value the third that it is in, 0 to 2 in rising order. Thirds are of equal size, but equal values stay
/// together, so that they can differ in size or be empty.
std::vector<std::size_t> thirds_of(const std::vector<double>& values);

/// The five above of every picture and, where the file tells the sizes that the pictures had before they were imported,
/// "original_height", "original_width" (pixels) and "original_aspect" (width / height). Throws as read_rows does.
std::vector<StatisticColumn> split_statistics(DatasetReader& data, std::string_view split);

}  // namespace xrai
