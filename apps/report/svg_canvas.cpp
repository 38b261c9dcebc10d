// See svg_canvas.h. Every shape carries its colour as an attribute, which any viewer understands, and as a class, by
// which a page's style sheet overrides it.
#include "apps/report/svg_canvas.h"

#include <fmt/format.h>

#include "apps/report/html.h"

namespace xrai {
namespace {

std::string stroke(const Line& line) {
  return fmt::format(R"(class="s-{}" fill="none" stroke="{}" stroke-width="{:.4g}" stroke-linejoin="round" )"
                     R"(stroke-linecap="round"{})",
                     ink_name(line.ink), hex_colour(line.ink), line.width,
                     line.dashed ? R"( stroke-dasharray="4 4")" : "");
}

/// Points a tenth of a pixel apart are one: a ROC curve of 25,000 images stays a short text.
std::string coordinates(std::span<const Point> points) {
  std::string text, last;
  for (const Point& p : points) {
    std::string next = fmt::format("{:.1f},{:.1f}", p.x, p.y);
    if (next == last) continue;
    text += (text.empty() ? "" : " ") + next;
    last = std::move(next);
  }
  return text;
}

}  // namespace

SvgCanvas::SvgCanvas(double width, double height, std::string_view id, std::string_view title,
                     std::string_view description)
    : width_(width), height_(height), id_(id) {
  head_ = fmt::format("<title id=\"{0}-title\">{1}</title>\n<desc id=\"{0}-desc\">{2}</desc>\n", id_,
                      html_escape(title), html_escape(description));
}

void SvgCanvas::line(std::span<const Point> points, const Line& line) {
  body_ += fmt::format("<polyline points=\"{}\" {}/>\n", coordinates(points), stroke(line));
}

void SvgCanvas::area(std::span<const Point> outline, Ink fill, double opacity) {
  body_ += fmt::format("<polygon points=\"{}\" class=\"f-{}\" fill=\"{}\" fill-opacity=\"{:.3g}\"/>\n",
                       coordinates(outline), ink_name(fill), hex_colour(fill), opacity);
}

void SvgCanvas::dot(Point centre, double radius, Ink fill) {
  body_ += fmt::format(
      "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{:.3g}\" class=\"f-{} s-paper\" fill=\"{}\" "
      "stroke=\"{}\" stroke-width=\"1\"/>\n",
      centre.x, centre.y, radius, ink_name(fill), hex_colour(fill), hex_colour(Ink::kPaper));
}

void SvgCanvas::words(Point at, std::string_view text, const Label& label) {
  const char* anchor = label.anchor == Anchor::kStart ? "start" : label.anchor == Anchor::kMiddle ? "middle" : "end";
  body_ += fmt::format(
      "<text x=\"{:.1f}\" y=\"{:.1f}\" class=\"f-{}\" fill=\"{}\" font-size=\"{:.4g}\" "
      "text-anchor=\"{}\"{}{}>{}</text>\n",
      at.x, at.y, ink_name(label.ink), hex_colour(label.ink), label.size, anchor,
      label.bold ? " font-weight=\"600\"" : "",
      label.upwards ? fmt::format(" transform=\"rotate(-90 {:.1f} {:.1f})\"", at.x, at.y) : "", html_escape(text));
}

std::string SvgCanvas::inline_svg() const {
  return fmt::format(
      "<svg class=\"chart\" viewBox=\"0 0 {0:.4g} {1:.4g}\" role=\"img\" "
      "aria-labelledby=\"{2}-title {2}-desc\">\n{3}{4}</svg>\n",
      width_, height_, id_, head_, body_);
}

std::string SvgCanvas::standalone_svg() const {
  return fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:.5g}\" height=\"{1:.5g}\" "
      "viewBox=\"0 0 {0:.5g} {1:.5g}\" role=\"img\" aria-labelledby=\"{2}-title {2}-desc\" "
      "font-family=\"'DejaVu Sans', Verdana, Arial, sans-serif\">\n"
      "{3}<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n{4}</svg>\n",
      width_, height_, id_, head_, body_);
}

}  // namespace xrai
