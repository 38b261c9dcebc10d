// Charts as pixels, for places that show no SVG. The only file of the project's charts that knows cairo.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

#include "apps/report/canvas.h"

namespace xrai {

class PngCanvas : public Canvas {
 public:
  /// White paper of width x height units, each drawn as `scale` pixels. Throws Error(kOutOfMemory).
  PngCanvas(double width, double height, double scale);
  ~PngCanvas() override;

  void line(std::span<const Point> points, const Line& line) override;
  void area(std::span<const Point> outline, Ink fill, double opacity) override;
  void dot(Point centre, double radius, Ink fill) override;
  void words(Point at, std::string_view text, const Label& label) override;

  /// Lays pixels (height, width, 4), RGBA, over the box, smoothly enlarged or reduced.
  void picture(const Box& box, std::span<const std::uint8_t> rgba, std::int64_t width, std::int64_t height);

  /// Written aside and renamed. Throws Error(kStorage).
  void write(const std::filesystem::path& path) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace xrai
