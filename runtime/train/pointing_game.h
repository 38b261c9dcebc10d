// Do heat maps point where the disease is? The pointing game of Zhang et al., "Top-down neural attention by excitation
// backprop", ECCV 2016, section 4.1: a map hits when its highest place lies on the object, give or take a margin. And
// the share of a map's sum that lies on it, after the energy-based game of Wang et al., "Score-CAM", CVPR workshops
// 2020. For pictures whose lesion's place is known, as that of drawn ones.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "runtime/train/heat_map.h"
#include "runtime/train/metrics.h"

namespace xrai {

/// A lesion as a disc, in fractions of the picture's side.
struct Lesion {
  PicturePlace centre;
  double radius = 0;
};

/// Half a cell: a map cannot say where in a cell it is highest.
double pointing_margin(const HeatMap& map);
/// Whether the highest place lies on the lesion or within the margin; false for a map of zeros.
bool points_at(const HeatMap& map, const Lesion& lesion);
/// Share of the interpolated map's sum that lies on the lesion; 0 for a map of zeros.
double heat_inside(const HeatMap& map, const Lesion& lesion);
/// Share of the part the network looks at that lies within `margin` of the lesion.
double area_share(const HeatMap& map, const Lesion& lesion, double margin);

class PointingGame {
 public:
  /// Lesions whose centre the network does not see take no part.
  void play(const HeatMap& map, const Lesion& lesion);

  [[nodiscard]] const Rate& accuracy() const { return hits_; }
  // Means over the lesions; absent without any.
  /// Accuracy of maps that are highest anywhere.
  [[nodiscard]] std::optional<double> chance() const { return mean(chance_); }
  [[nodiscard]] std::optional<double> mean_heat_inside() const { return mean(heat_); }
  /// Mean heat inside of maps that are the same everywhere.
  [[nodiscard]] std::optional<double> area() const { return mean(area_); }

 private:
  [[nodiscard]] std::optional<double> mean(double sum) const {
    return hits_.of > 0 ? std::optional(sum / static_cast<double>(hits_.of)) : std::nullopt;
  }
  Rate hits_;
  double chance_ = 0, heat_ = 0, area_ = 0;
};

/// What was played, for people.
struct PointingResult {
  PointingGame game;
  std::string layer;                           // whose maps
  std::int64_t map_height = 0, map_width = 0;  // cells of that layer
};

}  // namespace xrai
