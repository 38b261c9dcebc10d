// Charts as SVG text: crisp at any size, words stay words (selectable, read aloud).
#pragma once

#include "apps/report/canvas.h"

namespace xrai {

class SvgCanvas : public Canvas {
 public:
  /// `id`: letters only, unique on the page. `title` and `description` are what a screen reader says.
  SvgCanvas(double width, double height, std::string_view id, std::string_view title, std::string_view description);

  void line(std::span<const Point> points, const Line& line) override;
  void area(std::span<const Point> outline, Ink fill, double opacity) override;
  void dot(Point centre, double radius, Ink fill) override;
  void words(Point at, std::string_view text, const Label& label) override;

  /// For a page: no background, colours left to the page's style sheet (classes s-..., f-...).
  [[nodiscard]] std::string inline_svg() const;
  /// A file of its own on white paper.
  [[nodiscard]] std::string standalone_svg() const;

 private:
  double width_, height_;
  std::string id_, head_, body_;
};

}  // namespace xrai
