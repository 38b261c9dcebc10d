// A class's evidence on a picture: the cells of a Grad-CAM map, where they lie, and what is between them. Places are
// fractions of the stored picture's sides, from its left and upper edge. Here: geometry. Not here: how maps are
// computed (explainer.h, runtime/nn/grad_cam.h) and how they are drawn (apps/report).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace xrai {

struct PicturePlace {
  double x = 0, y = 0;
};

struct HeatMap {
  std::int64_t height = 0, width = 0;  // cells
  double crop = 1;                     // side of the central part of the picture that the cells cover
  std::vector<float> values;           // (height, width), 0 or above

  [[nodiscard]] float highest() const;
  [[nodiscard]] PicturePlace middle_of(std::int64_t row, std::int64_t column) const;
  /// Middle of the cell of the highest value, which is where the interpolated map is highest, too; none where the map
  /// is 0 everywhere.
  [[nodiscard]] std::optional<PicturePlace> peak() const;
  /// Whether the network saw this place.
  [[nodiscard]] bool covers(PicturePlace place) const;
  /// Bilinear between the middles of four cells, flat beyond the outermost ones; 0 where the network does not look.
  [[nodiscard]] double at(PicturePlace place) const;
};

}  // namespace xrai
