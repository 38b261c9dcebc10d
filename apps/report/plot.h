// Axes and what stands between them. Lives here: round ticks, the mapping from values to pixels, frames and legends.
// Which values are plotted is not known here.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "apps/report/canvas.h"

namespace xrai {

struct Axis {
  double low = 0.0, high = 1.0;
  std::vector<double> ticks;
  int decimals = 1;
  bool percent = false;  // 0.9 is written "90 %"
  std::string title{};
  [[nodiscard]] std::string text(double value) const;
};

/// An axis over [low, high], widened to round ticks (steps of 1, 2 or 5 times a power of ten), about n_ticks of them.
/// `floor` and `ceiling` are never crossed: rates end at 1.
Axis round_axis(double low, double high, int n_ticks, std::optional<double> floor = std::nullopt,
                std::optional<double> ceiling = std::nullopt);
/// An axis of whole numbers from `first` to `last` without a tick in between them.
Axis whole_number_axis(double first, double last, int n_ticks);

struct Series {
  std::string name;
  Ink ink = Ink::kBlue;
  std::vector<Point> points;  // gaps where y is not finite
  bool dashed = false;
};

/// Draws frame, grid, ticks and titles at construction; then values go on top.
class Plot {
 public:
  /// `box`: everything, words included. `title` stands above at the left, the legend below it.
  Plot(Canvas& canvas, const Box& box, const std::string& title, Axis x, Axis y);

  [[nodiscard]] Point at(double x, double y) const;
  [[nodiscard]] const Box& area() const { return area_; }
  [[nodiscard]] Canvas& canvas() const { return canvas_; }

  /// The line, broken at gaps; dots on the points where `dots`, and on points that stand alone between gaps.
  void draw(const Series& series, bool dots) const;
  void legend(const std::vector<Series>& series) const;
  /// A dashed upright line with words at its top, on the side where there is room.
  void mark_x(double x, std::string_view words, Ink ink) const;
  /// Words beside a point, on the side where there is room.
  void note(Point value, std::string_view words, Ink ink) const;

 private:
  Canvas& canvas_;
  Box area_;
  Point legend_at_;
  Axis x_, y_;
};

}  // namespace xrai
