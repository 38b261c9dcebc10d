#include "apps/explain/filter_picture.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "apps/explain/filter_words.h"
#include "apps/explain/map_colours.h"
#include "apps/report/png_canvas.h"

namespace xrai {
namespace {

// Units of the drawing; a page shows about 900 pixels across, so words of 17 are still read there.
constexpr double kMargin = 22, kPanel = 264, kGap = 48, kTop = 82;
constexpr double kTitleAt = 36, kSubtitleAt = 62, kBarAt = kTop + kPanel + 16, kBarHeight = 14, kHeight = kBarAt + 82;
constexpr double kWidth = 2 * kMargin + 4 * kPanel + 3 * kGap;
constexpr double kSmallestNumberedCell = 26;
constexpr std::int64_t kBarPixels = 264;
constexpr Label kTitle{.size = 21, .bold = true}, kSmall{.size = 17, .ink = Ink::kMuted};

Box panel(int place) {
  return {kMargin + place * (kPanel + kGap), kTop, kPanel, kPanel};
}

std::array<Point, 5> outline(const Box& box) {
  return {{{box.x, box.y}, {box.right(), box.y}, {box.right(), box.bottom()}, {box.x, box.bottom()}, {box.x, box.y}}};
}

// "255", "-1530", "0.11": with as many digits as a legend needs.
std::string legend_number(double value) {
  return std::abs(value) >= 100 ? fmt::format("{:.0f}", value) : fmt::format("{:.3g}", value);
}

void draw_bar(PngCanvas& canvas, const Box& box, const ColourRange& range, std::string_view note) {
  const Box bar{box.x, kBarAt, box.width, kBarHeight};
  canvas.picture(bar, colour_bar(range, kBarPixels), kBarPixels, 1);
  canvas.line(outline(bar), {.ink = Ink::kGrid});
  const double words = kBarAt + kBarHeight + 20;
  canvas.words({box.x, words}, legend_number(range.low), kSmall);
  const Label middle{.size = 17, .ink = Ink::kMuted, .anchor = Anchor::kMiddle};
  if (range.low < 0) canvas.words({box.x + 0.5 * box.width, words}, "0", middle);
  canvas.words({box.right(), words}, legend_number(range.high),
               {.size = 17, .ink = Ink::kMuted, .anchor = Anchor::kEnd});
  canvas.words({box.x + 0.5 * box.width, words + 24}, note, middle);
}

void draw_heading(PngCanvas& canvas, const Box& box, const std::string& title, const std::string& subtitle) {
  canvas.words({box.x, kTitleAt}, title, kTitle);
  canvas.words({box.x, kSubtitleAt}, subtitle, kSmall);
}

// What stands between two panels: an arrow with a word above it.
void draw_arrow(PngCanvas& canvas, int after, std::string_view word) {
  const double left = panel(after).right() + 9, right = left + kGap - 18, y = kTop + 0.5 * kPanel;
  canvas.line(std::array<Point, 2>{{{left, y}, {right, y}}}, {.ink = Ink::kText, .width = 2});
  canvas.line(std::array<Point, 3>{{{right - 8, y - 7}, {right, y}, {right - 8, y + 7}}},
              {.ink = Ink::kText, .width = 2});
  canvas.words({0.5 * (left + right), y - 14}, word,
               {.size = word == "*" ? 26.0 : 17.0, .anchor = Anchor::kMiddle, .bold = true});
}

void draw_map(PngCanvas& canvas, const Box& box, const ValueMap& map, const ColourRange& range) {
  const auto side = static_cast<std::int64_t>(kPanel);
  canvas.picture(box, coloured(map.values, map.height, map.width, side, side, range), side, side);
  canvas.line(outline(box), {.ink = Ink::kGrid});
}

void draw_filter(PngCanvas& canvas, const FilterKernel& kernel, const ColourRange& range) {
  const Box box = panel(1);
  const double cell =
      std::min(box.width / static_cast<double>(kernel.width), box.height / static_cast<double>(kernel.height));
  const double left = box.x + 0.5 * (box.width - cell * static_cast<double>(kernel.width));
  const double top = box.y + 0.5 * (box.height - cell * static_cast<double>(kernel.height));
  for (std::int64_t y = 0; y < kernel.height; ++y)
    for (std::int64_t x = 0; x < kernel.width; ++x) {
      const float weight = kernel.weights[static_cast<std::size_t>(y * kernel.width + x)];
      const Rgb colour = colour_of(weight, range);
      const Box square{left + cell * static_cast<double>(x), top + cell * static_cast<double>(y), cell, cell};
      canvas.picture(square, std::array<std::uint8_t, 4>{colour[0], colour[1], colour[2], 255}, 1, 1);
      canvas.line(outline(square), {.ink = Ink::kMuted, .width = 1});
      if (cell < kSmallestNumberedCell) continue;
      const std::string text = weight_text(weight);
      const double size =
          std::min({30.0, 0.45 * cell, 1.5 * cell / static_cast<double>(std::max<std::size_t>(text.size(), 1))});
      canvas.words(
          {square.x + 0.5 * cell, square.y + 0.5 * cell + 0.34 * size}, text,
          {.size = size, .ink = is_dark(colour) ? Ink::kPaper : Ink::kText, .anchor = Anchor::kMiddle, .bold = true});
    }
}

// Where on a map the printed numbers stand.
void frame(PngCanvas& canvas, const Box& box, const ValueMap& map, const TablePlace& from, const ValueMap& shown) {
  const double sx = box.width / static_cast<double>(map.width), sy = box.height / static_cast<double>(map.height);
  const Box marked{box.x + sx * static_cast<double>(from.column) - 1, box.y + sy * static_cast<double>(from.row) - 1,
                   sx * static_cast<double>(shown.width) + 2, sy * static_cast<double>(shown.height) + 2};
  canvas.line(outline(marked), {.ink = Ink::kPaper, .width = 4});
  canvas.line(outline(marked), {.ink = Ink::kGreen, .width = 2});
}

ColourRange range_of_result(const FilterPicture& picture) {
  const double sum = picture.kernel.sum();
  if (sum > 1e-4) return {0, 255 * sum, false};
  ColourRange range = range_of(picture.steps.convolved.values);
  range.low = -range.high;  // one bar for every filter of this kind
  return range;
}

std::string size_text(std::int64_t height, std::int64_t width, const std::string& what) {
  return fmt::format("{} x {} {}", height, width, what);
}

}  // namespace

void write_filter_picture(const std::filesystem::path& path, const FilterPicture& picture) {
  const auto& [steps, kernel, pooling, language, framed] = picture;
  const bool largest = pooling == PoolingKind::kMax;
  const FilterWords& words = filter_words(language);
  PngCanvas canvas(kWidth, kHeight, 1);
  const ColourRange grey{0, 255, false}, weights = range_of(kernel.weights), result = range_of_result(picture);
  draw_heading(canvas, panel(0), "1  " + words.picture,
               size_text(steps.picture.height, steps.picture.width, words.pixels));
  draw_map(canvas, panel(0), steps.picture, grey);
  draw_bar(canvas, panel(0), grey, words.black_to_white);

  draw_heading(canvas, panel(1), "2  " + words.filter + kernel.name,
               size_text(kernel.height, kernel.width, words.numbers));
  draw_filter(canvas, kernel, weights);
  draw_bar(canvas, panel(1), weights, words.sum + weight_text(static_cast<float>(kernel.sum())));

  draw_heading(canvas, panel(2), "3  " + words.convolution,
               size_text(steps.convolved.height, steps.convolved.width, words.results));
  draw_map(canvas, panel(2), steps.convolved, result);
  draw_bar(canvas, panel(2), result, result.signed_colours ? words.signed_colours : words.black_to_white);

  draw_heading(canvas, panel(3), "4  " + (largest ? words.max_pooling : words.average_pooling),
               size_text(steps.pooled.height, steps.pooled.width, largest ? words.maxima : words.means));
  draw_map(canvas, panel(3), steps.pooled, result);
  draw_bar(canvas, panel(3), result, largest ? words.largest : words.mean);

  draw_arrow(canvas, 0, "*");
  draw_arrow(canvas, 1, "=");
  draw_arrow(canvas, 2, "2x2");
  if (framed) {
    const NumberTables shown = number_tables(steps, kernel, *framed);
    frame(canvas, panel(0), steps.picture, *framed, shown.picture);
    frame(canvas, panel(2), steps.convolved, *framed, shown.convolved);
    frame(canvas, panel(3), steps.pooled, {framed->row / kPoolingSide, framed->column / kPoolingSide}, shown.pooled);
  }
  canvas.write(path);
}

}  // namespace xrai
