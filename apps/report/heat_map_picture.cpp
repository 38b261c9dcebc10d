#include "apps/report/heat_map_picture.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "apps/report/heat_colour.h"
#include "apps/report/png_canvas.h"
#include "apps/report/png_data.h"

namespace xrai {
namespace {

constexpr std::int64_t kOverlaySide = 96;              // pixels of the longer side in a page
constexpr double kLeastPanel = 360, kMostPanel = 720;  // longer side of a picture in a PNG
constexpr double kGap = 16, kLegendHeight = 64, kLegendWidth = 200;
constexpr int kLegendSteps = 200;

std::uint8_t byte_of(double share) {
  return static_cast<std::uint8_t>(std::lround(255 * std::clamp(share, 0.0, 1.0)));
}

std::vector<std::uint8_t> grey_as_rgba(std::span<const std::uint8_t> pixels) {
  std::vector<std::uint8_t> rgba;
  rgba.reserve(4 * pixels.size());
  for (const std::uint8_t grey : pixels) rgba.insert(rgba.end(), {grey, grey, grey, 255});
  return rgba;
}

// (1, kLegendSteps) opaque, as the colours look on black.
std::vector<std::uint8_t> legend_colours() {
  std::vector<std::uint8_t> rgba;
  for (int i = 0; i < kLegendSteps; ++i) {
    const Rgb colour = heat_colour((i + 0.5) / kLegendSteps);
    rgba.insert(rgba.end(), {colour[0], colour[1], colour[2], 255});
  }
  return rgba;
}

void frame_seen_part(PngCanvas& canvas, const Box& panel, double crop) {
  if (crop >= 1) return;
  const double left = panel.x + 0.5 * (1 - crop) * panel.width, top = panel.y + 0.5 * (1 - crop) * panel.height;
  const double right = left + crop * panel.width, bottom = top + crop * panel.height;
  const std::array<Point, 5> frame{{{left, top}, {right, top}, {right, bottom}, {left, bottom}, {left, top}}};
  canvas.line(frame, {.ink = Ink::kPaper, .width = 1.0, .dashed = true});
}

void draw_legend(PngCanvas& canvas, double left, double top, const HeatMap& map, const HeatMapWords& words) {
  canvas.picture({left, top, kLegendWidth, 12}, legend_colours(), kLegendSteps, 1);
  const Label small{.size = 12, .ink = Ink::kMuted};
  canvas.words({left, top + 28}, "none", small);
  canvas.words({left + kLegendWidth, top + 28}, "most", {.size = 12, .ink = Ink::kMuted, .anchor = Anchor::kEnd});
  const double text = left + kLegendWidth + kGap;
  canvas.words(
      {text, top + 11},
      fmt::format("evidence for {}, p = {:.3f}; called {}", words.class_name, words.probability, words.verdict),
      {.size = 13, .bold = true});
  canvas.words({text, top + 28},
               map.highest() > 0
                   ? fmt::format("relative to this picture's strongest place; Grad-CAM at {}", words.layer)
                   : fmt::format("no place speaks for {}; Grad-CAM at {}", words.class_name, words.layer),
               small);
  canvas.words({text, top + 45}, "research and teaching only: shows what the network used, not where disease is",
               small);
}

}  // namespace

std::vector<std::uint8_t> heat_overlay(const HeatMap& map, std::int64_t width, std::int64_t height) {
  const double highest = map.highest();
  std::vector<std::uint8_t> rgba;
  rgba.reserve(static_cast<std::size_t>(4 * width * height));
  for (std::int64_t y = 0; y < height; ++y)
    for (std::int64_t x = 0; x < width; ++x) {
      const PicturePlace place{(static_cast<double>(x) + 0.5) / static_cast<double>(width),
                               (static_cast<double>(y) + 0.5) / static_cast<double>(height)};
      const double heat = highest > 0 ? map.at(place) / highest : 0.0;
      const Rgb colour = heat_colour(heat);
      rgba.insert(rgba.end(), {colour[0], colour[1], colour[2], byte_of(heat_opacity(heat))});
    }
  return rgba;
}

std::string heat_overlay_data(const HeatMap& map, std::int64_t width, std::int64_t height) {
  const std::int64_t longer = std::max<std::int64_t>(1, std::max(width, height));
  const std::int64_t small_width = std::max<std::int64_t>(1, kOverlaySide * width / longer);
  const std::int64_t small_height = std::max<std::int64_t>(1, kOverlaySide * height / longer);
  return png_data(heat_overlay(map, small_width, small_height), small_width, small_height, PngColours::kRgba);
}

std::string heat_legend_data() {
  return png_data(legend_colours(), kLegendSteps, 1, PngColours::kRgba);
}

void write_heat_map(const std::filesystem::path& path, std::span<const std::uint8_t> pixels, std::int64_t width,
                    std::int64_t height, const HeatMap& map, const HeatMapWords& words) {
  const auto longer = static_cast<double>(std::max(width, height));
  const double scale = std::clamp(longer, kLeastPanel, kMostPanel) / longer;
  const Box bare{kGap, kGap, std::round(scale * static_cast<double>(width)),
                 std::round(scale * static_cast<double>(height))};
  const Box heated{bare.right() + kGap, kGap, bare.width, bare.height};
  PngCanvas canvas(std::max(heated.right() + kGap, 2 * (kLeastPanel + kGap) + kGap),
                   bare.bottom() + kGap + kLegendHeight, 1);
  const std::vector<std::uint8_t> picture = grey_as_rgba(pixels);
  canvas.picture(bare, picture, width, height);
  canvas.picture(heated, picture, width, height);
  const auto panel_width = static_cast<std::int64_t>(bare.width), panel_height = static_cast<std::int64_t>(bare.height);
  canvas.picture(heated, heat_overlay(map, panel_width, panel_height), panel_width, panel_height);
  frame_seen_part(canvas, heated, map.crop);
  draw_legend(canvas, bare.x, bare.bottom() + kGap, map, words);
  canvas.write(path);
}

}  // namespace xrai
