// What a chart is drawn with: lines, areas, circles and words on paper measured in pixels from the top left corner.
// Two bodies: svg_canvas.h for pages and curves.svg, png_canvas.h for curves.png. What is drawn is not known here.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace xrai {

struct Point {
  double x = 0.0, y = 0.0;
};

struct Box {
  double x = 0.0, y = 0.0, width = 0.0, height = 0.0;
  [[nodiscard]] double right() const { return x + width; }
  [[nodiscard]] double bottom() const { return y + height; }
};

/// Inks by what they are for on the page, then the colours of Okabe and Ito ("Color Universal Design", 2008), which
/// people with any kind of colour vision can tell apart. A dark page gives each a lighter value under the same name.
enum class Ink { kPaper, kText, kMuted, kGrid, kBlue, kVermillion, kGreen, kOrange, kPurple, kSky };

/// "#rrggbb" on white paper.
std::string_view hex_colour(Ink ink);
/// Name of the ink as a style-sheet class and variable: "blue" for class "s-blue" (stroke), "f-blue" (fill).
std::string_view ink_name(Ink ink);
/// Ink of the i-th of several series.
Ink series_ink(std::size_t i);

struct Line {
  Ink ink = Ink::kText;
  double width = 1.0;
  bool dashed = false;
};

enum class Anchor { kStart, kMiddle, kEnd };

struct Label {
  double size = 12.0;
  Ink ink = Ink::kText;
  Anchor anchor = Anchor::kStart;
  bool bold = false;
  bool upwards = false;  // turned by 90 degrees, read from below
};

class Canvas {
 public:
  virtual ~Canvas() = default;
  virtual void line(std::span<const Point> points, const Line& line) = 0;
  virtual void area(std::span<const Point> outline, Ink fill, double opacity) = 0;
  /// A dot with a thin rim of paper, so that it stands out from lines.
  virtual void dot(Point centre, double radius, Ink fill) = 0;
  /// `at`: on the base line of the words.
  virtual void words(Point at, std::string_view text, const Label& label) = 0;
};

/// About how wide a sans-serif font sets the text (UTF-8), for placing labels; no font is asked.
double estimated_width(std::string_view text, double size);

}  // namespace xrai
