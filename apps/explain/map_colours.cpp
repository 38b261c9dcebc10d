#include "apps/explain/map_colours.h"

#include <algorithm>
#include <cmath>

namespace xrai {
namespace {

struct Stop {
  double share;
  Rgb colour;
};
// Paper, the colour of Okabe and Ito (apps/report/canvas.h), the same darker.
constexpr Stop kAbove[] = {{0, {255, 255, 255}}, {0.6, {213, 94, 0}}, {1, {140, 54, 0}}};
constexpr Stop kBelow[] = {{0, {255, 255, 255}}, {0.6, {0, 114, 178}}, {1, {0, 58, 112}}};

Rgb between(const Stop (&stops)[3], double share) {
  const std::size_t i = share < stops[1].share ? 0 : 1;
  const double part = (share - stops[i].share) / (stops[i + 1].share - stops[i].share);
  Rgb colour{};
  for (std::size_t c = 0; c < 3; ++c)
    colour[c] = static_cast<std::uint8_t>(std::lround(
        std::lerp(static_cast<double>(stops[i].colour[c]), static_cast<double>(stops[i + 1].colour[c]), part)));
  return colour;
}

void append(std::vector<std::uint8_t>& rgba, const Rgb& colour) {
  rgba.insert(rgba.end(), {colour[0], colour[1], colour[2], 255});
}

}  // namespace

Rgb signed_colour(double share) {
  const double size = std::min(std::abs(share), 1.0);
  return share < 0 ? between(kBelow, size) : between(kAbove, size);
}

Rgb colour_of(double value, const ColourRange& range) {
  if (range.signed_colours) return signed_colour(value / std::max(std::abs(range.low), std::abs(range.high)));
  const double share = std::clamp((value - range.low) / (range.high - range.low), 0.0, 1.0);
  const auto grey = static_cast<std::uint8_t>(std::lround(255 * share));
  return {grey, grey, grey};
}

bool is_dark(const Rgb& colour) {
  return 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2] < 140;
}

ColourRange range_of(std::span<const float> values) {
  std::vector<float> sizes;
  bool negative = false;
  for (const float value : values) {
    sizes.push_back(std::abs(value));
    negative = negative || value < 0;
  }
  double most = 0;
  if (!sizes.empty()) {
    const std::size_t place = std::min(sizes.size() - 1, sizes.size() - sizes.size() / 500 - 1);
    std::nth_element(sizes.begin(), sizes.begin() + static_cast<std::ptrdiff_t>(place), sizes.end());
    most = sizes[place];
    if (most <= 0) most = *std::max_element(sizes.begin(), sizes.end());
  }
  if (most <= 0) most = 1;
  return {negative ? -most : 0, most, true};
}

std::vector<std::uint8_t> coloured(std::span<const float> values, std::int64_t height, std::int64_t width,
                                   std::int64_t side_height, std::int64_t side_width, const ColourRange& range) {
  std::vector<std::uint8_t> rgba;
  rgba.reserve(static_cast<std::size_t>(4 * side_height * side_width));
  for (std::int64_t y = 0; y < side_height; ++y)
    for (std::int64_t x = 0; x < side_width; ++x)
      append(rgba,
             colour_of(values[static_cast<std::size_t>(y * height / side_height * width + x * width / side_width)],
                       range));
  return rgba;
}

std::vector<std::uint8_t> colour_bar(const ColourRange& range, std::int64_t steps) {
  std::vector<std::uint8_t> rgba;
  for (std::int64_t i = 0; i < steps; ++i)
    append(rgba,
           colour_of(std::lerp(range.low, range.high, (static_cast<double>(i) + 0.5) / static_cast<double>(steps)),
                     range));
  return rgba;
}

}  // namespace xrai
